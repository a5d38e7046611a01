-- For wrk: asks what a file says, a line a request (`HOST TOKEN` or `HOST -`), over and over or once,
-- beginning behind line FROM.
--   wrk -s requests.lua URL -- FILE again|once FROM
-- Says at the end, on a line of its own, what came of it.
local requests, nth, once = {}, 0, false

function init(args)
  once = args[2] == "once"
  nth = tonumber(args[3])
  for line in io.lines(args[1]) do
    local host, token = line:match("^(%S+) (%S+)$")
    local headers = {["Host"] = host, ["User-Agent"] = "curl/8.5.0", ["Accept"] = "*/*"}
    if token ~= "-" then
      headers["X-Leasehold-Session"] = token
    end
    requests[#requests + 1] = wrk.format("GET", "/v1/models", headers)
  end
end

function request()
  nth = nth + 1
  if once and nth > #requests then
    wrk.thread:stop()
  end
  return requests[(nth - 1) % #requests + 1]
end

function done(summary, latency)
  local errors = summary.errors
  print(string.format(
    'RESULT {"requests": %d, "refused": %d, "broken": %d, "p50_us": %d, "p99_us": %d}',
    summary.requests, errors.status, errors.connect + errors.read + errors.write + errors.timeout,
    latency:percentile(50), latency:percentile(99)))
end
