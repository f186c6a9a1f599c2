package admin

import (
	"strconv"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/mooring-mcp/mooring/server"
)

// collector reads the counters of a server when it is scraped. The server itself counts without
// labels or locks.
type collector struct {
	s *server.Server
}

func newCollector(s *server.Server) prometheus.Collector { return collector{s} }

func desc(name, help string, labels ...string) *prometheus.Desc {
	return prometheus.NewDesc("mooring_"+name, help, labels, nil)
}

var (
	connections   = desc("connections", "Open connections.")
	streams       = desc("streams", "Open streams.", "kind")
	sessions      = desc("sessions_with_state", "Sessions of earlier revisions that hold state.")
	revoked       = desc("sessions_revoked", "Deleted session IDs that have not expired.")
	replayBytes   = desc("replay_bytes", "Bytes of events kept for clients that reconnect.")
	inboxBytes    = desc("inbox_bytes", "Bytes that wait for event loops.")
	answerBytes   = desc("answer_bytes", "Bytes of clients' answers that wait for their handlers to run.")
	unsentBytes   = desc("unsent_bytes", "Bytes that wait for clients to read, including unused room in their buffers.")
	calls         = desc("calls_in_flight", "Calls that workers serve.")
	requests      = desc("requests_total", "MCP messages by method and outcome.", "method", "outcome")
	otherRequests = desc("http_requests_total", "Health checks and preflight requests.")
	refused       = desc("http_refused_total", "Requests refused because of their head or framing.")
	refusals      = desc("refusals_total", "Requests and connections refused by class.", "class")
	tracked       = desc("tracked_clients", "Principals and addresses that are remembered for their limits.", "by")
	bytesTotal    = desc("bytes_total", "Bytes read from and written to clients.", "direction")
	closes        = desc("closes_total", "Closed connections by reason.", "reason")
	loopLag       = desc("loop_lag_seconds", "Longest delay of a tick of an event loop in the last 15 to 30 s, including one that is still waiting.", "loop")
	acceptErrors  = desc("accept_errors_total", "Connections that could not be accepted or passed to an event loop.")
	acceptRefused = desc("accept_refused_total", "Connections refused because of the connection limit.")
	tlsErrors     = desc("tls_errors_total", "Failed TLS handshakes, and connections that broke the rules of HTTP/2.")
	tlsRefused    = desc("tls_refused_total", "Connections closed because of the limit of TLS handshakes.")
	handshakes    = desc("tls_handshakes", "TLS handshakes in progress.")
	authRequests  = desc("authentications_total", "Requests for endpoints, by what authentication has found out.", "outcome")
	panics        = desc("panics_total", "Panics in the server itself that were contained.")
)

// Describe implements prometheus.Collector.
func (c collector) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{connections, streams, sessions, revoked, replayBytes, inboxBytes, answerBytes, unsentBytes, calls, requests, otherRequests, refused, refusals, tracked, bytesTotal, closes, loopLag, acceptErrors, acceptRefused, tlsErrors, tlsRefused, handshakes, authRequests, panics} {
		ch <- d
	}
}

// Collect implements prometheus.Collector.
func (c collector) Collect(ch chan<- prometheus.Metric) {
	gauge := func(d *prometheus.Desc, v float64, labels ...string) {
		ch <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v, labels...)
	}
	counter := func(d *prometheus.Desc, v uint64, labels ...string) {
		ch <- prometheus.MustNewConstMetric(d, prometheus.CounterValue, float64(v), labels...)
	}
	st := c.s.Stats()
	gauge(connections, float64(st.Connections))
	gauge(streams, float64(st.Streams-st.SessionStreams), "listen")
	gauge(streams, float64(st.SessionStreams), "session")
	gauge(sessions, float64(st.SessionsWithState))
	gauge(revoked, float64(st.RevokedSessions))
	gauge(replayBytes, float64(st.ReplayBytes))
	gauge(inboxBytes, float64(st.InboxBytes))
	gauge(answerBytes, float64(st.AnswerBytes))
	gauge(unsentBytes, float64(st.UnsentBytes))
	gauge(calls, float64(st.CallsInFlight))
	for labels, n := range st.Requests {
		counter(requests, n, labels.Method, labels.Outcome)
	}
	counter(otherRequests, st.OtherRequests)
	counter(refused, st.Refused)
	for class, n := range st.Refusals {
		counter(refusals, n, class)
	}
	for by, n := range st.Tracked {
		gauge(tracked, float64(n), by)
	}
	counter(bytesTotal, st.BytesIn, "in")
	counter(bytesTotal, st.BytesOut, "out")
	for reason, n := range st.Closes {
		counter(closes, n, reason)
	}
	for i, lag := range st.LoopLag {
		gauge(loopLag, lag, strconv.Itoa(i))
	}
	counter(acceptErrors, st.AcceptErrors)
	counter(acceptRefused, st.AcceptRefused)
	counter(tlsErrors, st.TLSErrors)
	counter(tlsRefused, st.TLSRefused)
	gauge(handshakes, float64(st.TLSHandshakes))
	for outcome, n := range st.Authentications {
		counter(authRequests, n, outcome)
	}
	counter(panics, st.Panics)
}
