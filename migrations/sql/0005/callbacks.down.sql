drop trigger note_callback on verifications;
drop table callbacks;
drop table callback_endpoints;
