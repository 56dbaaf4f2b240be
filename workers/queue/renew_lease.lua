-- Let a lease run anew. One without a holder is taken back: Redis forgot whose it was.
-- KEYS: 1 leases, 2 lease holders
-- ARGV: 1 member `job/queue`, 2 owner, 3 seconds of the lease
-- Returns 1, or 0 if the owner does not hold it.
local t = redis.call('TIME')
local now = t[1] + t[2] / 1000000
local holder = redis.call('HGET', KEYS[2], ARGV[1])
if holder and holder ~= ARGV[2] then return 0 end
if not redis.call('ZSCORE', KEYS[1], ARGV[1]) then return 0 end
redis.call('ZADD', KEYS[1], now + ARGV[3], ARGV[1])
redis.call('HSET', KEYS[2], ARGV[1], ARGV[2])
return 1
