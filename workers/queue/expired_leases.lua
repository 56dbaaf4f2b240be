-- List the leases that have run out, the one that ran out first at the beginning.
-- KEYS: 1 leases
-- ARGV: none
-- Returns members `job/queue`.
local t = redis.call('TIME')
local now = t[1] + t[2] / 1000000
return redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', now)
