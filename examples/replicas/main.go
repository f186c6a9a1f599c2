// Command replicas runs two servers that share their keys, as two processes of a deployment
// would. A session that was opened on one is served by the other, since the server keeps no
// list of sessions: what it must know of one travels, encrypted, in the session ID.
package main

import (
	"context"
	"crypto/rand"
	"errors"
	"flag"
	"fmt"
	"io"
	"log"
	"net/http"
	"os/signal"
	"strings"
	"syscall"

	"github.com/mooring-mcp/mooring/mcp"
	"github.com/mooring-mcp/mooring/server"
)

type whoOut struct {
	Replica string `json:"replica"`
}

// newReplica returns a server. Processes that stand in for each other have the same keys; a
// deployment reads them from a file or a secret store. The first key seals, all of them open:
// to replace a key, add the new one at the end everywhere, then move it to the front, then drop
// the old one.
func newReplica(name string, keys ...[]byte) *server.Server {
	features := mcp.NewServer(&mcp.Implementation{Name: "replicas", Version: "v1.0.0"}, &mcp.ServerOptions{
		// On revision 2026-07-28 there are no sessions. What a handler leaves with the client
		// between a question and its answer is sealed as well.
		StateKey:     keys[0],
		OldStateKeys: keys[1:],
	})
	who := func(*mcp.CallToolRequest, struct{}) (whoOut, error) { return whoOut{Replica: name}, nil }
	mcp.AddInlineTool(features, &mcp.Tool{Name: "who", Description: "Names the replica that serves the call."}, who)
	return server.New(features, &server.Options{SessionKeys: keys})
}

func main() {
	addrA := flag.String("listen", "127.0.0.1:8080", "`address` of replica A")
	addrB := flag.String("listen-b", "127.0.0.1:8081", "`address` of replica B")
	flag.Parse()

	key := make([]byte, 32)
	rand.Read(key) // never fails
	a, b := newReplica("A", key), newReplica("B", key)
	ended := make(chan error, 2)
	urlA, urlB := serve(a, *addrA, ended), serve(b, *addrB, ended)

	// The session of one client, in three requests to two servers.
	session, err := openSession(urlA)
	if err != nil {
		log.Fatal(err)
	}
	for _, url := range []string{urlA, urlB} {
		answer, err := callWho(url, session)
		if err != nil {
			log.Fatal(err)
		}
		log.Printf("the session that A opened, on %s: %s", url, answer)
	}

	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	select {
	case <-ctx.Done():
		stop() // a second signal ends the process at once
	case err := <-ended:
		log.Fatal(err)
	}
	if err := errors.Join(a.Shutdown(context.Background()), b.Shutdown(context.Background())); err != nil {
		log.Fatal(err)
	}
}

// serve serves s on addr and returns its URL. The error that ends it goes to ended.
func serve(s *server.Server, addr string, ended chan<- error) (url string) {
	l, err := s.Listen(addr)
	if err != nil {
		log.Fatal(err)
	}
	go func() { ended <- s.Serve(l) }()
	url = "http://" + l.Addr().String() + "/mcp"
	log.Printf("serving MCP on %s", url)
	return url
}

// openSession opens a session of revision 2025-11-25 and returns its ID.
func openSession(url string) (string, error) {
	resp, err := post(url, "", `{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2025-11-25",`+
		`"capabilities":{},"clientInfo":{"name":"example","version":"v1.0.0"}}}`)
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	return resp.Header.Get("Mcp-Session-Id"), nil
}

// callWho calls the tool who in a session.
func callWho(url, session string) (string, error) {
	resp, err := post(url, session, `{"jsonrpc":"2.0","id":2,"method":"tools/call","params":{"name":"who","arguments":{}}}`)
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(resp.Body)
	return string(answer), err
}

func post(url, session, message string) (*http.Response, error) {
	req, err := http.NewRequest(http.MethodPost, url, strings.NewReader(message))
	if err != nil {
		return nil, err
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Accept", "application/json, text/event-stream")
	if session != "" {
		req.Header.Set("Mcp-Session-Id", session)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, err
	}
	if resp.StatusCode != http.StatusOK {
		resp.Body.Close()
		return nil, fmt.Errorf("%s: %s", url, resp.Status)
	}
	return resp, nil
}
