package server

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"maps"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/mooring-mcp/mooring/mcp"
)

var update = flag.Bool("update", false, "rewrite what the server says in testdata/*.txtar")

// TestConversations replays the conversations of testdata: what clients send, and what they get,
// byte for byte but for placeholders (see names). The parts of a file are in the order of time:
//
//	-- 1 client --               the client sends this
//	-- 2 server --               and has received this since it last looked, and nothing else
//	-- 3 stream: client --       on another connection; any words name it
//	-- 4 stream: client closes --
//	-- 5 server closes --        the server has ended its side
//	-- 6 change tools --         a list or a resource of the server changes
//	-- 7 pass 11s --             time passes
//
// See wire for how bytes are written down. Then each conversation is replayed with all that the
// client sends cut in two, at every byte: the server must say the same.
func TestConversations(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txtar")
	if err != nil || len(files) == 0 {
		t.Fatalf("no conversations (%v)", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txtar"), func(t *testing.T) {
			a := readArchive(t, file)
			c := newConversation(t, a)
			err := c.replay(0, *update)
			if *update {
				a.write(t)
			}
			if err != nil {
				t.Fatal(err)
			}
			c.wantValid(revisionName.FindString(filepath.Base(file)))
			step := 1
			if testing.Short() || raceEnabled() {
				step = 17
			}
			for cut := 1; cut < c.longest; cut += step {
				if err := c.replay(cut, false); err != nil {
					t.Fatalf("what the client sends is cut at byte %d: %v", cut, err)
				}
			}
		})
	}
}

// A conversation is an archive and a server to replay it with. Replays share the server, so that
// there can be thousands of them.
type conversation struct {
	*port
	a       *archive
	longest int // bytes of what the client sends at once
}

func newConversation(t *testing.T, a *archive) *conversation {
	c := &conversation{port: newPort(t, &Options{SSEPath: "/sse", MaxRequestLine: 256, MaxFields: 20, MaxBody: 4096}), a: a}
	mcp.AddTool(c.ms, &mcp.Tool{Name: "greet"}, func(_ context.Context, req *mcp.CallToolRequest, _ noIn) (*mcp.CallToolResult, any, error) {
		answer, ok := req.Params.InputResponses["name"].(*mcp.ElicitResult)
		if !ok {
			return &mcp.CallToolResult{InputRequests: mcp.InputRequestMap{"name": &mcp.ElicitParams{
				Message:         "What is your name?",
				RequestedSchema: map[string]any{"type": "object", "properties": map[string]any{"name": map[string]any{"type": "string"}}},
			}}, RequestState: "asked"}, nil, nil
		}
		text := "Farewell!"
		if answer.Action == "accept" {
			text = fmt.Sprint("Ahoy, ", answer.Content["name"], "!")
		}
		return &mcp.CallToolResult{Content: []mcp.Content{&mcp.TextContent{Text: text}}}, nil, nil
	})
	mcp.AddTool(c.ms, &mcp.Tool{Name: "sample"}, func(_ context.Context, req *mcp.CallToolRequest, _ noIn) (*mcp.CallToolResult, any, error) {
		answer, ok := req.Params.InputResponses["line"].(*mcp.CreateMessageWithToolsResult)
		if !ok {
			return &mcp.CallToolResult{InputRequests: mcp.InputRequestMap{"line": &mcp.CreateMessageParams{
				MaxTokens: 9, Messages: []*mcp.SamplingMessage{{Role: "user", Content: &mcp.TextContent{Text: "Ahoy?"}}},
			}}}, nil, nil
		}
		return &mcp.CallToolResult{Content: []mcp.Content{&mcp.TextContent{Text: answer.Model + " has spoken"}}}, nil, nil
	})
	mcp.AddInlineTool(c.ms, &mcp.Tool{Name: "logs"}, func(req *mcp.CallToolRequest, in addIn) (addOut, error) {
		for _, level := range []mcp.LoggingLevel{mcp.LevelDebug, mcp.LevelError} {
			_ = req.Log(level, "hull", string(level))
		}
		return addOut{in.A}, nil
	})
	c.tell()
	return c
}

// A caller is a connection of a conversation.
type caller struct {
	*fakePeer
	sent, received wire
	over           bool // a part has said that it ends
}

var stepName = regexp.MustCompile(`^\d+ (?:(.+): )?(client|server|(?:client|server) closes|(?:change|pass) (\S+))$`)

// replay holds the conversation. If cut is not 0, it cuts what the client sends there.
func (c *conversation) replay(cut int, update bool) error {
	// As in a new server, so that ids have the same length in every replay.
	c.s.sessions.Clear()
	c.s.sessions = newSessions(c.s)
	known := newNames()
	callers := make(map[string]*caller)
	of := func(name string) *caller {
		if callers[name] == nil {
			callers[name] = &caller{fakePeer: c.dial(len(callers) % 2)}
		}
		return callers[name]
	}
	for i := range c.a.parts {
		part := &c.a.parts[i]
		m := stepName.FindStringSubmatch(part.name)
		if m == nil {
			return fmt.Errorf("%s: part %q is not known", c.a.path, part.name)
		}
		fail := func(err error) error { return fmt.Errorf("%s, part %q: %w", c.a.path, part.name, err) }
		switch strings.TrimSuffix(m[2], " "+m[3]) {
		case "client":
			p := of(m[1])
			if p.over || p.shut || p.closed {
				return fail(errors.New("the connection has ended"))
			}
			b := string(p.sent.bytes(known.show(part.text)))
			c.longest = max(c.longest, len(b))
			if cut > 0 && cut < len(b) {
				p.send(b[:cut])
				b = b[cut:]
			}
			p.send(b)
		case "server":
			p := of(m[1])
			if update {
				part.text = ""
			}
			text, err := c.received(p, known, part.text)
			if err != nil {
				return fail(err)
			}
			if update && text != "" {
				part.text = text
			} else if text != part.text || text == "" {
				return fail(fmt.Errorf("received\n%s\nwant\n%s", text, part.text))
			}
		case "client closes":
			p := of(m[1])
			p.over = true
			p.fin()
		case "server closes":
			p := of(m[1])
			if p.over = p.shut || p.closed; !p.over {
				return fail(errors.New("the connection is open"))
			}
		case "change":
			c.changes(m[3])
		case "pass":
			d, err := time.ParseDuration(m[3])
			if err != nil {
				return fail(err)
			}
			c.wait(d)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(callers)) {
		p := callers[name]
		if len(p.got) > 0 || (p.shut || p.closed) != p.over {
			return fmt.Errorf("%s, connection %q: %q is left, closed %v", c.a.path, name, p.got, p.shut || p.closed)
		}
		if !p.closed {
			p.fin()
		}
	}
	c.callsEnd("the conversation is over")
	c.wantHarmony("after the conversation")
	return nil
}

// received returns what p has received. It waits for what is wanted as long as a call is in flight.
// If nothing is wanted it waits a moment, because the call may wait for its client.
func (c *conversation) received(p *caller, known *names, want string) (text string, err error) {
	quiet := time.Now().Add(10 * time.Second)
	if want == "" {
		quiet = time.Now().Add(300 * time.Millisecond)
	}
	for {
		c.run()
		over := c.s.calls.Load() == 0 && c.callsInFlight() == 0 && (p.c.x == nil || p.c.x.job == nil)
		c.run()
		again := p.received
		text, err = again.text(p.got)
		if err == nil {
			text = known.hide(text)
		}
		if err == nil && text != "" && text == want || over || time.Now().After(quiet) {
			p.received = again
			p.take()
			return text, err
		}
		select {
		case <-c.base.wake:
		case <-time.After(time.Millisecond):
		}
	}
}

// changes changes a list of the server, or a resource.
func (c *conversation) changes(what string) {
	switch what {
	case "tools":
		mcp.AddTool(c.ms, &mcp.Tool{Name: "brief"}, func(context.Context, *mcp.CallToolRequest, noIn) (*mcp.CallToolResult, any, error) {
			return &mcp.CallToolResult{}, nil, nil
		})
		c.ms.RemoveTools("brief")
	default:
		updated(c.ms, what)
	}
	c.tell()
}

var (
	revisionName = regexp.MustCompile(`^\d{4}-\d\d-\d\d`)
	messageLine  = regexp.MustCompile(`(?m)^(?:data: )?([{\[].*)$`)
)

// wantValid checks the messages of the server against the official schema of the revision, if the
// file is of one.
func (c *conversation) wantValid(rev string) {
	if rev == "" {
		return
	}
	type message struct {
		ID     json.RawMessage
		Method string
	}
	methods := make(map[string]string) // of requests, by id
	for _, p := range c.a.parts {
		for _, m := range messageLine.FindAllStringSubmatch(p.text, -1) {
			for _, raw := range each([]byte(m[1])) {
				var msg message
				if json.Unmarshal(raw, &msg) != nil {
					continue
				}
				if strings.Contains(p.name, "client") {
					if msg.Method != "" {
						methods[string(msg.ID)] = msg.Method
					}
					continue
				}
				c.schema.Message(c.t, rev, methods[string(msg.ID)], raw)
			}
		}
	}
}
