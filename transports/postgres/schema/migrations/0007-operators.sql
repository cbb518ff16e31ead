-- What an operator's commands need beyond reading: telling a user's devices of credits that were given.
-- Locks: devices and device_messages in share mode for the moment of the grants.

grant update (last_message_seq) on devices to vello_operator;
grant insert on device_messages to vello_operator;
