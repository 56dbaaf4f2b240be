-- Take the lease that ran out first, so that its holder cannot renew it any more and no one else recovers it.
-- KEYS: 1 leases, 2 lease holders
-- ARGV: 1 owner, 2 seconds of the lease
-- Returns the member `job/queue`, or false if no lease has run out.
local t = redis.call('TIME')
local now = t[1] + t[2] / 1000000
local expired = redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', now, 'LIMIT', 0, 1)
if #expired == 0 then return false end
redis.call('ZADD', KEYS[1], now + ARGV[2], expired[1])
redis.call('HSET', KEYS[2], expired[1], ARGV[1])
return expired[1]
