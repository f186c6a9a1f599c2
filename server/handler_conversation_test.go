package server

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

// TestHandlerConversations replays the conversations of the revisions on net/http, with a Server as
// the handler. What the client receives is what it would receive from the event loops, but for the
// order of the field lines and the framing of streams, which are net/http's where it sends the
// response. With wrapped, middleware hides that the connection can be taken.
func TestHandlerConversations(t *testing.T) {
	files, err := filepath.Glob("testdata/20*.txtar")
	if err != nil || len(files) == 0 {
		t.Fatalf("no conversations (%v)", err)
	}
	for _, file := range files {
		for _, wrapped := range []bool{false, true} {
			name := strings.TrimSuffix(filepath.Base(file), ".txtar") + map[bool]string{true: "-wrapped"}[wrapped]
			t.Run(name, func(t *testing.T) {
				c := newConversation(t, readArchive(t, file))
				if err := c.replayOnHandler(wrapped); err != nil {
					t.Fatal(err)
				}
			})
		}
	}
}

// flushOnly is a writer of middleware that can send a response piece by piece, and nothing else.
type flushOnly struct{ http.ResponseWriter }

func (w flushOnly) Flush() { w.ResponseWriter.(http.Flusher).Flush() }

// A netCaller is a connection of a conversation on net/http.
type netCaller struct {
	net.Conn
	sent, received wire
	said, heard    bodyText // what the file says, and what has come
	pending        []byte
	eof            chan struct{}
	more           chan []byte
}

func (c *conversation) replayOnHandler(wrapped bool) error {
	s := New(c.ms, &Options{SSEPath: "/sse", MaxBody: 4096, Logger: c.s.logger()})
	hs := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if wrapped {
			w = flushOnly{w}
		}
		s.ServeHTTP(w, r)
	}))
	defer hs.Close()
	defer func() {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		if err := s.Shutdown(ctx); err != nil {
			c.t.Errorf("Shutdown: %v", err)
		}
	}()
	known := newNames()
	callers := make(map[string]*netCaller)
	defer func() {
		for _, p := range callers {
			p.Close()
		}
	}()
	of := func(name string) *netCaller {
		if callers[name] == nil {
			nc, err := net.Dial("tcp", hs.Listener.Addr().String())
			if err != nil {
				c.t.Fatal(err)
			}
			p := &netCaller{Conn: nc, more: make(chan []byte, 64), eof: make(chan struct{})}
			go p.read()
			callers[name] = p
		}
		return callers[name]
	}
	for i := range c.a.parts {
		part := &c.a.parts[i]
		m := stepName.FindStringSubmatch(part.name)
		p := of(m[1])
		switch strings.TrimSuffix(m[2], " "+m[3]) {
		case "client":
			if _, err := p.Write(p.sent.bytes(known.show(part.text))); err != nil {
				return err
			}
			// What is sent on another connection next must not overtake it.
			time.Sleep(20 * time.Millisecond)
		case "server":
			if err := p.expect(known, part.text); err != nil {
				return fmt.Errorf("%s, part %q: %w", c.a.path, part.name, err)
			}
		case "client closes":
			p.Close()
			time.Sleep(20 * time.Millisecond) // the server should notice before it continues
		case "change":
			time.Sleep(50 * time.Millisecond)
			c.changes(m[3])
			time.Sleep(50 * time.Millisecond)
		}
	}
	return nil
}

func (p *netCaller) read() {
	defer close(p.more)
	for {
		b := make([]byte, 4096)
		n, err := p.Read(b)
		if n > 0 {
			p.more <- b[:n]
		}
		if err != nil {
			return
		}
	}
}

// expect waits until the client has received want, and nothing else.
func (p *netCaller) expect(known *names, want string) error {
	want = p.said.canonical(want)
	late := time.After(10 * time.Second)
	var got string
	for {
		w, heard := p.received, p.heard
		text, err := w.text(p.pending)
		if err == nil {
			if got = heard.canonical(known.hide(text)); got == want {
				p.received, p.heard, p.pending = w, heard, nil
				return nil
			}
		}
		select {
		case b, ok := <-p.more:
			if !ok {
				return fmt.Errorf("the connection has ended after\n%s\nwant\n%s", got, want)
			}
			p.pending = append(p.pending, b...)
		case <-late:
			return fmt.Errorf("received\n%s\nwant\n%s\n(%v)", got, want, err)
		}
	}
}

// bodyText turns the text of what a server has sent into one that does not depend on the order of
// field lines, on the sizes of chunks and on heartbeats.
type bodyText struct{ chunked bool }

func (t *bodyText) canonical(text string) string {
	var out strings.Builder
	for text != "" {
		if t.chunked {
			// Placeholders have taken the place of bytes, so the sizes say nothing here.
			line, rest, _ := strings.Cut(text, "\n")
			switch text = rest; {
			case line == "0":
				t.chunked, text = false, strings.TrimPrefix(text, "\n")
				out.WriteString("(end)\n")
			case line != "" && line != ":" && !chunkSize.MatchString(line):
				out.WriteString(line + "\n")
			}
			continue
		}
		head, rest, _ := strings.Cut(text, "\n\n")
		lines := strings.Split(head, "\n")
		slices.Sort(lines[1:])
		lines = slices.DeleteFunc(lines, func(l string) bool { return l == "Connection: close" })
		t.chunked = slices.Contains(lines, "Transfer-Encoding: chunked")
		text = rest
		const length = "Content-Length: "
		at := slices.IndexFunc(lines, func(l string) bool { return strings.HasPrefix(l, length) })
		short := at >= 0 && slices.Contains(lines, "Content-Type: text/event-stream")
		n := 0
		if at >= 0 {
			n, _ = strconv.Atoi(lines[at][len(length):])
			n = min(n, len(text))
		}
		if short { // net/http knew the end of the stream before it sent the head
			lines[at] = "Transfer-Encoding: chunked"
			slices.Sort(lines[1:])
		}
		out.WriteString(strings.Join(lines, "\n") + "\n\n")
		switch {
		case short:
			stream := bodyText{chunked: true}
			out.WriteString(stream.canonical(text) + "(end)\n") // nothing follows
			text = ""
		case at >= 0:
			out.WriteString(text[:n] + "\n")
			text = strings.TrimPrefix(text[n:], "\n")
		}
	}
	return out.String()
}

var chunkSize = regexp.MustCompile(`^[0-9a-f]+$`)
