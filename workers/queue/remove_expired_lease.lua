-- Remove a lease that has run out, unless it was taken again meanwhile.
-- KEYS: 1 leases, 2 lease holders
-- ARGV: 1 member `job/queue`
-- Returns nothing.
local t = redis.call('TIME')
local now = t[1] + t[2] / 1000000
local expiry = redis.call('ZSCORE', KEYS[1], ARGV[1])
if expiry and tonumber(expiry) <= now then
  redis.call('ZREM', KEYS[1], ARGV[1])
  redis.call('HDEL', KEYS[2], ARGV[1])
end
