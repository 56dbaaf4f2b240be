-- Give a lease up, and leave an entry without a holder that is recovered after a delay.
-- KEYS: 1 leases, 2 lease holders
-- ARGV: 1 member `job/queue`, 2 owner, 3 seconds of the delay
-- Returns 1, or 0 if the owner does not hold it.
local t = redis.call('TIME')
local now = t[1] + t[2] / 1000000
if redis.call('HGET', KEYS[2], ARGV[1]) ~= ARGV[2] then return 0 end
redis.call('ZADD', KEYS[1], now + ARGV[3], ARGV[1])
redis.call('HDEL', KEYS[2], ARGV[1])
return 1
