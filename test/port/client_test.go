package port

import (
	"context"
	"encoding/json"
	"net/http"
	"sync"
	"time"

	"github.com/modelcontextprotocol/go-sdk/mcp"
)

// A notification is one that the client was sent.
type notification struct {
	Kind   string `json:"kind"`
	Params any    `json:"params"`
}

// A driver is the SDK's client of a program, and what it has been sent.
type driver struct {
	era     string
	client  *mcp.Client
	session *mcp.ClientSession
	header  http.Header
	meta    mcp.Meta
	answer  *mcp.ElicitResult

	mu   sync.Mutex
	sent []notification
	more chan struct{} // has a value after something was sent
}

type customParams struct {
	mcp.ParamsBase
	Text string `json:"text"`
}

type customResult struct {
	mcp.ResultBase
	Latin string `json:"latin"`
}

func newDriver(era string) *driver {
	d := &driver{
		era: era, header: http.Header{}, meta: mcp.Meta{}, more: make(chan struct{}, 1),
		answer: &mcp.ElicitResult{Action: "accept", Content: map[string]any{"name": "eve"}},
	}
	d.client = mcp.NewClient(&mcp.Implementation{Name: "driver", Version: "v1.2.3"}, &mcp.ClientOptions{
		ToolListChangedHandler:      func(_ context.Context, r *mcp.ToolListChangedRequest) { d.note("tools", r.Params) },
		PromptListChangedHandler:    func(_ context.Context, r *mcp.PromptListChangedRequest) { d.note("prompts", r.Params) },
		ResourceListChangedHandler:  func(_ context.Context, r *mcp.ResourceListChangedRequest) { d.note("resources", r.Params) },
		ResourceUpdatedHandler:      func(_ context.Context, r *mcp.ResourceUpdatedNotificationRequest) { d.note("updated", r.Params) },
		LoggingMessageHandler:       func(_ context.Context, r *mcp.LoggingMessageRequest) { d.note("log", r.Params) },
		ProgressNotificationHandler: func(_ context.Context, r *mcp.ProgressNotificationClientRequest) { d.note("progress", r.Params) },
		ElicitationHandler: func(_ context.Context, r *mcp.ElicitRequest) (*mcp.ElicitResult, error) {
			d.note("asked", r.Params)
			return d.answer, nil
		},
		CreateMessageHandler: func(_ context.Context, r *mcp.CreateMessageRequest) (*mcp.CreateMessageResult, error) {
			d.note("sampled", r.Params)
			return &mcp.CreateMessageResult{Model: "test", Role: "assistant", Content: &mcp.TextContent{Text: "something"}}, nil
		},
	})
	d.client.AddRoots(&mcp.Root{URI: "file:///home", Name: "home"})
	for _, method := range []string{"latin/translate", "latin/absent"} {
		if err := mcp.AddSendingCustomMethod[*customParams, *customResult](d.client, method); err != nil {
			panic(err)
		}
	}
	return d
}

func (d *driver) note(kind string, params any) {
	d.mu.Lock()
	d.sent = append(d.sent, notification{kind, plain(params)})
	d.mu.Unlock()
	select {
	case d.more <- struct{}{}:
	default:
	}
}

// await returns what was sent since the last call, after it has waited for n notifications and a
// little longer.
func (d *driver) await(n int) []notification {
	late := time.After(3 * time.Second)
	for {
		d.mu.Lock()
		have := len(d.sent)
		d.mu.Unlock()
		if have >= n {
			break
		}
		select {
		case <-d.more:
			continue
		case <-late:
		}
		break
	}
	if n > 0 {
		time.Sleep(20 * time.Millisecond)
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	sent := d.sent
	d.sent = nil
	return sent
}

// RoundTrip adds the header fields of the script.
func (d *driver) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context())
	for name, values := range d.header {
		r.Header[name] = values
	}
	return http.DefaultTransport.RoundTrip(r)
}

// connect replaces the session of d by one over t and returns what the server says of itself.
func (d *driver) connect(t mcp.Transport) (any, error) {
	d.close()
	// Streams live as long as this context.
	session, err := d.client.Connect(context.Background(), t, &mcp.ClientSessionOptions{ProtocolVersion: d.era})
	if err != nil {
		return nil, err
	}
	d.session = session
	return plain(session.InitializeResult()), nil
}

func (d *driver) close() {
	if d.session != nil {
		_ = d.session.Close()
		d.session = nil
	}
}

// plain returns v as JSON knows it. Texts that are JSON themselves are compared as JSON, and times
// not at all.
func plain(v any) any {
	text, err := json.Marshal(v)
	if err != nil {
		return err.Error()
	}
	var out any
	if err := json.Unmarshal(text, &out); err != nil {
		return err.Error()
	}
	return normal(out)
}

func normal(v any) any {
	switch v := v.(type) {
	case map[string]any:
		for name, value := range v {
			v[name] = normal(value)
			if _, ok := value.(string); ok && name == "time" {
				v[name] = "…"
			}
		}
	case []any:
		for i := range v {
			v[i] = normal(v[i])
		}
	case string:
		var inner map[string]any
		if json.Unmarshal([]byte(v), &inner) == nil {
			return inner
		}
	}
	return v
}
