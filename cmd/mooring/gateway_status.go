package main

import (
	"bytes"
	"crypto/sha256"
	_ "embed"
	"encoding/base64"
	"encoding/json"
	"html/template"
	"net/http"
	"strings"
	"time"

	"github.com/mooring-mcp/mooring/gateway"
	"github.com/mooring-mcp/mooring/server/admin"
)

// An upstreamStatus is what GET /servers says of a server. Its text is on one line.
type upstreamStatus struct {
	Name      string   `json:"name"`
	Path      string   `json:"path"`
	Transport string   `json:"transport"`
	State     string   `json:"state"`
	Era       string   `json:"era,omitempty"`
	Version   string   `json:"version,omitempty"`
	Replacing bool     `json:"replacing,omitempty"` // a changed configuration is being connected to
	Tools     int      `json:"tools"`
	Prompts   int      `json:"prompts"`
	Resources int      `json:"resources"`
	Templates int      `json:"resourceTemplates"`
	LongNames []string `json:"longNames,omitempty"`
	Collision []string `json:"collisions,omitempty"`

	Sessions   int    `json:"sessions"`
	InFlight   int    `json:"inFlight"`
	Queue      int    `json:"queue"`
	Parked     int    `json:"parked"`
	Questions  int    `json:"questions"`
	Children   int    `json:"children"`
	Restarts   uint64 `json:"restarts"`
	Breaker    string `json:"breaker,omitempty"`
	Sockets    int    `json:"sockets"`
	StrayLines uint64 `json:"strayLines"`
	BytesIn    uint64 `json:"bytesIn"`
	BytesOut   uint64 `json:"bytesOut"`
	Calls      uint64 `json:"calls"`
	Failed     uint64 `json:"callsFailed"`

	LastError   string     `json:"lastError,omitempty"`
	LastErrorAt *time.Time `json:"lastErrorAt,omitempty"`
	ListedAt    *time.Time `json:"listedAt,omitempty"`
	Stderr      string     `json:"stderr,omitempty"` // its last lines
}

// stderrShown is how many bytes of what a child has written to its standard error are shown.
const stderrShown = 2 << 10

// statusOf returns what is shown of a status. Its text may be hostile.
func statusOf(s *gateway.Status) upstreamStatus {
	u := upstreamStatus{
		Name: s.Name, Path: s.Path, Transport: s.Transport, State: s.State.State, Era: s.Era, Version: plain(s.Version), Replacing: s.Replacing,
		Tools: s.Tools, Prompts: s.Prompts, Resources: s.Resources, Templates: s.Templates, LongNames: plains(s.LongTools), Collision: plains(s.Collisions),
		Sessions: s.Sessions, InFlight: s.InFlight, Queue: s.Waiting, Parked: s.Parked, Questions: s.Questions,
		StrayLines: s.Counts.Strays + s.Counts.Malformed, Calls: s.Counts.Calls, Failed: s.Counts.Failed, LastError: explain(s.LastError),
	}
	if c := s.Children; c != nil {
		u.Children, u.Restarts, u.BytesIn, u.BytesOut = len(c.Children), c.Restarts, c.BytesIn, c.BytesOut
		u.StrayLines += c.StrayLines + c.TooLong
	}
	if h := s.HTTP; h != nil {
		u.Queue += h.Queued
		u.Breaker, u.Sockets, u.BytesIn, u.BytesOut = h.Breaker.String(), h.Sockets, h.BytesIn, h.BytesOut
		u.StrayLines += h.Strays
	}
	if !s.LastErrorAt.IsZero() {
		u.LastErrorAt = new(s.LastErrorAt.UTC().Truncate(time.Second))
	}
	if !s.Listed.IsZero() {
		u.ListedAt = new(s.Listed.UTC().Truncate(time.Second))
	}
	u.Stderr = lastLines(s.Stderr)
	return u
}

func plains(list []string) (out []string) {
	for _, s := range list {
		out = append(out, plain(s))
	}
	return out
}

// lastLines returns the last lines of a text without control characters.
func lastLines(text string) string {
	if n := len(text) - stderrShown; n > 0 {
		text = text[n:]
		if _, rest, ok := strings.Cut(text, "\n"); ok {
			text = rest
		}
	}
	lines := strings.Split(strings.ToValidUTF8(text, "\ufffd"), "\n")
	for i := range lines {
		lines[i] = plain(lines[i])
	}
	return strings.TrimSpace(strings.Join(lines, "\n"))
}

func (r *gatewayRun) statuses() []upstreamStatus {
	all := r.gw.Status()
	out := make([]upstreamStatus, len(all))
	for i := range all {
		out[i] = statusOf(&all[i])
	}
	return out
}

//go:embed servers.html
var serversHTML string

//go:embed servers.css
var serversCSS string

// serversPage is the page of GET /servers. html/template escapes what it is given.
var serversPage = template.Must(template.New("servers").Funcs(template.FuncMap{
	"style": func() template.CSS { return template.CSS(serversCSS) },
}).Parse(serversHTML))

// policyOfPage allows the page its own style and nothing else.
var policyOfPage = func() string {
	sum := sha256.Sum256([]byte(serversCSS))
	return "default-src 'none'; style-src 'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
}()

// statusPages are the pages for operators of a gateway.
func statusPages(statuses func() []upstreamStatus) map[string]http.Handler {
	return map[string]http.Handler{"GET /servers": http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Cache-Control", "no-store")
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Vary", "Accept")
		if !strings.Contains(r.Header.Get("Accept"), "text/html") {
			h.Set("Content-Type", "application/json")
			e := json.NewEncoder(w)
			e.SetIndent("", "  ")
			_ = e.Encode(map[string]any{"servers": statuses()})
			return
		}
		var page bytes.Buffer
		if err := serversPage.Execute(&page, map[string]any{"Servers": statuses(), "Version": build().Version, "Now": time.Now().UTC().Format(time.RFC3339)}); err != nil {
			http.Error(w, "the page cannot be shown", http.StatusInternalServerError)
			return
		}
		h.Set("Content-Type", "text/html; charset=utf-8")
		h.Set("Content-Security-Policy", policyOfPage)
		h.Set("Referrer-Policy", "no-referrer")
		_, _ = page.WriteTo(w)
	})}
}

// metrics reports the servers to Prometheus.
func (r *gatewayRun) metrics(emit func(admin.Metric)) {
	for _, s := range r.statuses() {
		one := func(name, help string, counter bool, v float64, more ...admin.Label) {
			emit(admin.Metric{Name: "mooring_upstream_" + name, Help: help, Counter: counter, Value: v, Labels: append([]admin.Label{{Name: "server", Value: s.Name}}, more...)})
		}
		up := 0.0
		if s.State == "up" || s.State == "asleep" {
			up = 1
		}
		one("up", "Whether the server can be called: it is up, or a child that is started for the next call.", false, up)
		one("calls_in_flight", "Calls that the server has.", false, float64(s.InFlight))
		one("calls_total", "Calls to the server.", true, float64(s.Calls))
		one("calls_failed_total", "Calls that ended without a response of the server.", true, float64(s.Failed))
		one("queue", "Calls that wait to be sent.", false, float64(s.Queue))
		one("parked", "Calls whose clients are to come back with answers.", false, float64(s.Parked))
		one("questions", "Questions of the server without an answer.", false, float64(s.Questions))
		one("sessions", "Sessions with the server.", false, float64(s.Sessions))
		one("children", "Processes of the server.", false, float64(s.Children))
		one("restarts_total", "Starts of a process after a crash.", true, float64(s.Restarts))
		one("sockets", "Connections to the server.", false, float64(s.Sockets))
		breaker := map[string]float64{"half-open": 0.5, "open": 1}[s.Breaker]
		one("breaker", "The breaker of the server: 0 closed, 0.5 half-open, 1 open.", false, breaker)
		one("bytes_total", "Bytes from and to the server.", true, float64(s.BytesIn), admin.Label{Name: "direction", Value: "in"})
		one("bytes_total", "Bytes from and to the server.", true, float64(s.BytesOut), admin.Label{Name: "direction", Value: "out"})
		one("stray_lines_total", "Messages and lines of the server that belong to nothing.", true, float64(s.StrayLines))
		one("tools", "Tools of the server that are offered.", false, float64(s.Tools))
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, result := range []string{"ok", "error"} {
		emit(admin.Metric{
			Name: "mooring_gateway_reloads_total", Help: "Configurations that were read again, by result.", Counter: true,
			Value: float64(r.reloads[result]), Labels: []admin.Label{{Name: "result", Value: result}},
		})
	}
}
