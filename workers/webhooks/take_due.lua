-- Take the delivery that is due first, and hold it so that no other housekeeper takes it.
-- KEYS: 1 webhooks
-- ARGV: 1 now, 2 the end of the hold (Unix seconds)
-- Returns the job, or nil if none is due.
local due = redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', ARGV[1], 'LIMIT', 0, 1)
if not due[1] then return nil end
redis.call('ZADD', KEYS[1], ARGV[2], due[1])
return due[1]
