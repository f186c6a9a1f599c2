package peers

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"
)

const modernRevision, legacyRevision = "2026-07-28", "2025-11-25"

// A client speaks one era with a peer, over net/http.
type client struct {
	t       *testing.T
	url     string
	modern  bool
	session string // Mcp-Session-Id, if there is one
	id      int
}

// message holds the parts of a JSON-RPC message that are read.
type message struct {
	ID     json.RawMessage `json:"id"`
	Method string          `json:"method"`
	Result json.RawMessage `json:"result"`
	Error  *struct {
		Code    int    `json:"code"`
		Message string `json:"message"`
	} `json:"error"`
	Params struct {
		Meta struct {
			Subscription json.RawMessage `json:"io.modelcontextprotocol/subscriptionId"`
		} `json:"_meta"`
	} `json:"params"`
}

// request builds a POST of method with params, which is a JSON object without its closing brace, or
// empty.
func (c *client) request(ctx context.Context, id int, method, name, params string) *http.Request {
	c.t.Helper()
	if params == "" {
		params = "{"
	}
	if c.modern {
		if params != "{" {
			params += ","
		}
		params += `"_meta":{"io.modelcontextprotocol/protocolVersion":"` + modernRevision + `","io.modelcontextprotocol/clientCapabilities":{}}`
	}
	body := fmt.Sprintf(`{"jsonrpc":"2.0","id":%d,"method":%q,"params":%s}}`, id, method, params)
	if id == 0 {
		body = fmt.Sprintf(`{"jsonrpc":"2.0","method":%q}`, method)
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, c.url, strings.NewReader(body))
	if err != nil {
		c.t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Accept", "application/json, text/event-stream")
	switch {
	case c.modern:
		req.Header.Set("MCP-Protocol-Version", modernRevision)
		req.Header.Set("Mcp-Method", method)
		if name != "" {
			req.Header.Set("Mcp-Name", name)
		}
	case method != "initialize":
		req.Header.Set("MCP-Protocol-Version", legacyRevision)
		c.authorize(req)
	}
	return req
}

func (c *client) authorize(req *http.Request) {
	if c.session != "" {
		req.Header.Set("Mcp-Session-Id", c.session)
	}
}

// exchange sends a request and returns its answer, which may come as an event stream.
func (c *client) exchange(method, name, params string) (message, http.Header) {
	c.t.Helper()
	c.id++
	res := c.do(c.request(c.t.Context(), c.id, method, name, params))
	defer res.Body.Close()
	var text string
	if strings.HasPrefix(res.Header.Get("Content-Type"), "text/event-stream") {
		events := bufio.NewReader(res.Body)
		for !strings.Contains(text, `"result"`) && !strings.Contains(text, `"error"`) {
			var err error
			if text, err = nextData(events); err != nil {
				c.t.Fatalf("%s: the stream has no answer: %v", method, err)
			}
		}
	} else {
		b, err := io.ReadAll(res.Body)
		if err != nil {
			c.t.Fatal(err)
		}
		text = string(b)
	}
	var m message
	if err := json.Unmarshal([]byte(text), &m); err != nil {
		c.t.Fatalf("%s: %s: %v: %.300q", method, res.Status, err, text)
	}
	if m.Error == nil && string(m.ID) != fmt.Sprint(c.id) {
		c.t.Errorf("%s: the answer has id %s, want %d", method, m.ID, c.id)
	}
	return m, res.Header
}

func (c *client) do(req *http.Request) *http.Response {
	c.t.Helper()
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		c.t.Fatal(err)
	}
	return res
}

// result is exchange for a request that must succeed: it decodes the result into v.
func (c *client) result(method, name, params string, v any) {
	c.t.Helper()
	m, _ := c.exchange(method, name, params)
	if m.Error != nil {
		c.t.Fatalf("%s: error %d: %s", method, m.Error.Code, m.Error.Message)
	}
	if err := json.Unmarshal(m.Result, v); err != nil {
		c.t.Fatalf("%s: %v: %.300s", method, err, m.Result)
	}
}

// notify sends a notification, which must be accepted.
func (c *client) notify(method string) {
	c.t.Helper()
	res := c.do(c.request(c.t.Context(), 0, method, "", ""))
	defer res.Body.Close()
	if res.StatusCode != http.StatusAccepted {
		c.t.Errorf("%s: %s, want 202", method, res.Status)
	}
}

// call returns the text of a tool's result.
func (c *client) call(name, arguments string) string {
	c.t.Helper()
	var res struct {
		Content []struct{ Type, Text string }
		IsError bool
	}
	c.result("tools/call", name, fmt.Sprintf(`{"name":%q,"arguments":%s`, name, arguments), &res)
	if res.IsError || len(res.Content) != 1 || res.Content[0].Type != "text" {
		c.t.Fatalf("%s: %+v", name, res)
	}
	return res.Content[0].Text
}

// tools returns the names of the tools.
func (c *client) tools() []string {
	c.t.Helper()
	var res struct{ Tools []struct{ Name string } }
	c.result("tools/list", "", "", &res)
	var names []string
	for _, tool := range res.Tools {
		names = append(names, tool.Name)
	}
	return names
}

// A listener is an open event stream.
type listener struct {
	t      *testing.T
	cancel context.CancelFunc
	events chan string // data of events; closed at the end of the stream
	err    error       // why the stream ended; read it after events is closed
}

// open sends req and reads the stream that answers it.
func open(t *testing.T, build func(context.Context) *http.Request) *listener {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	res, err := http.DefaultClient.Do(build(ctx))
	if err != nil {
		cancel()
		t.Fatal(err)
	}
	if kind := res.Header.Get("Content-Type"); res.StatusCode != http.StatusOK || !strings.HasPrefix(kind, "text/event-stream") {
		cancel()
		res.Body.Close()
		t.Fatalf("%s, %s, want an event stream", res.Status, kind)
	}
	l := &listener{t: t, cancel: cancel, events: make(chan string, 64)}
	go func() {
		defer res.Body.Close()
		defer close(l.events)
		in := bufio.NewReader(res.Body)
		for {
			data, err := nextData(in)
			if err != nil {
				l.err = err
				return
			}
			l.events <- data
		}
	}()
	return l
}

// want returns the next event that contains text, within ten seconds.
func (l *listener) want(text string) string {
	l.t.Helper()
	end := time.After(10 * time.Second)
	for {
		select {
		case data, ok := <-l.events:
			if !ok {
				l.t.Fatalf("the stream ended before %q: %v", text, l.err)
			}
			if strings.Contains(data, text) {
				return data
			}
		case <-end:
			l.t.Fatalf("no %q after ten seconds", text)
		}
	}
}

// nextData returns the data of the next event that has any.
func nextData(in *bufio.Reader) (string, error) {
	var data []string
	for {
		line, err := in.ReadString('\n')
		if err != nil {
			return "", err
		}
		line = strings.TrimRight(line, "\r\n")
		if text, ok := strings.CutPrefix(line, "data:"); ok {
			if text = strings.TrimPrefix(text, " "); text != "" {
				data = append(data, text)
			}
		} else if line == "" && data != nil {
			return strings.Join(data, "\n"), nil
		}
	}
}
