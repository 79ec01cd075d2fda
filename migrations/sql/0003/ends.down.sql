ALTER TABLE alerts DROP ended_by;
ALTER TABLE alerts DROP began_by;
ALTER TABLE sends DROP credited;
