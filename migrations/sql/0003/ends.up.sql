ALTER TABLE sends ADD credited BOOLEAN DEFAULT false NOT NULL;
ALTER TABLE alerts ADD began_by UUID;
ALTER TABLE alerts ADD ended_by UUID;
