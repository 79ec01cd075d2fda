-- A process of the release before cannot read a row with a channel that it does not know, and would read no other row
-- with it: a WhatsApp message becomes what it knows and is nearest. Its line in the ledger, and its price, stay.
update verifications set used = array_replace(used, 'whatsapp', 'sms') where 'whatsapp' = any (used);
update sends set channel = 'sms', decision = jsonb_set(decision, '{facts,channel}', '"sms"') where channel = 'whatsapp';
alter table sends add constraint ck_sends_channel check (channel in ('sms', 'call', 'flashcall'));
