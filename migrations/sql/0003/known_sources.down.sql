ALTER TABLE verifications DROP COLUMN sources;
DROP TABLE known_sources;
