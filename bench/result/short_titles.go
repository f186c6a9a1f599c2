package result

// shortTitles are the titles of key figures in the short table, by scenario and name. They are its
// own because a document keeps the titles of the version that measured, and those are sentences.
var shortTitles = map[string]map[string]string{
	"idle": {
		"open_rate":      "streams opened per second",
		"idle_cpu":       "server CPU while all streams are idle, of one core",
		"rss_per_stream": "resident memory per stream",
	},
	"churn": {
		"client_cpu":          "server CPU time per client",
		"close_wait_final":    "sockets in CLOSE-WAIT at the end",
		"retained_per_client": "memory kept per client",
		"health_p99":          shortHealth,
	},
	"storm": {
		"time_to_zero":         "time from the last FIN until no socket is left",
		"close_wait_final":     "sockets in CLOSE-WAIT at the end",
		"rss_after_per_stream": "resident memory left per stream after the first round",
		"health_p99":           shortHealth,
	},
	"fanout": {
		"fanout_p50":       "time until half of the clients know of a change",
		"fanout_p99":       "time until 99 % of the clients know of a change",
		"fanout_last":      "time until all clients know of a change",
		"cpu_per_delivery": "server CPU time per delivery",
	},
	"call": {
		"call_cpu":  "server CPU time for 100,000 tools/call",
		"call_rate": "tools/call per second, closed loop",
		"call_p99":  "tools/call, 99th percentile, closed loop",
		"open_p99":  "tools/call, 99th percentile, open loop",
	},
	"slow": {
		"slowdown_p99":       "change notifications to other clients while readers stall, increase of the 99th percentile",
		"large_slowdown_p99": "health checks while large responses are not read, increase of the 99th percentile",
		"health_p99":         shortHealth,
	},
	"drain": {
		"streams_graceful": "streams that ended gracefully",
		"calls_answered":   "calls in flight that got their response",
		"time_to_exit":     "time from SIGTERM to the exit of the process",
	},
	"mixed": {
		"control_p99":  "control requests, 99th percentile",
		"call_p99":     "tools/call, 99th percentile",
		"newcomer_p99": "first response to a new client, 99th percentile",
		"cpu":          "server CPU, of one core",
	},
	"hostile": {
		"retained_per_100k": "memory kept after 100,000 hostile connections",
		"health_p99":        shortHealth,
	},
}

const shortHealth = "health checks, 99th percentile"

// shortTitle returns the row's title in the short table: the document's own for a figure that
// shortTitles does not have.
func (r *Row) shortTitle(scenario string) string {
	return orWord(shortTitles[scenario][r.Name], Plain(r.Title, maxText))
}
