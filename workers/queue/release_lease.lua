-- Give a lease up.
-- KEYS: 1 leases, 2 lease holders
-- ARGV: 1 member `job/queue`, 2 owner
-- Returns 1, or 0 if the owner does not hold it.
if redis.call('HGET', KEYS[2], ARGV[1]) ~= ARGV[2] then return 0 end
redis.call('ZREM', KEYS[1], ARGV[1])
redis.call('HDEL', KEYS[2], ARGV[1])
return 1
