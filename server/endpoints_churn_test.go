package server_test

import (
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/mooring-mcp/mooring/mcp"
	"github.com/mooring-mcp/mooring/server"
)

// Endpoints come and go while clients call, listen and initialize at them. Each request gets an
// answer of the endpoint or 404, every stream ends with its result, the endpoint that stays does
// not notice, and nothing is left.
func TestEndpointsComeAndGo(t *testing.T) {
	ms := mcp.NewServer(&mcp.Implementation{Name: "stays", Version: "1"}, nil)
	defer ms.Close()
	s := server.New(ms, &server.Options{Loops: 2, NoticeDelay: -1})
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan error, 1)
	go func() { served <- s.Serve(l) }()
	base := "http://" + l.Addr().String()
	client := &http.Client{Transport: new(http.Transport), Timeout: patience}
	defer client.CloseIdleConnections()
	post := func(path, method, params string) (int, string) {
		body := `{"jsonrpc":"2.0","id":1,"method":"` + method + `","params":{` + params + `"_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientCapabilities":{}}}}`
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, base+path, strings.NewReader(body))
		if err != nil {
			t.Error(err)
			return 0, ""
		}
		for name, value := range map[string]string{"Content-Type": "application/json", "Accept": "application/json, text/event-stream", "MCP-Protocol-Version": "2026-07-28", "Mcp-Method": method} {
			req.Header.Set(name, value)
		}
		res, err := client.Do(req)
		if err != nil {
			t.Error(err)
			return 0, ""
		}
		defer res.Body.Close()
		b, err := io.ReadAll(res.Body)
		if err != nil {
			t.Errorf("%s of %s: %v", method, path, err)
		}
		return res.StatusCode, string(b)
	}

	const endpoints, clients = 4, 8
	deadline := time.Now().Add(2 * time.Second)
	var done, clientsDone sync.WaitGroup
	for e := range endpoints {
		path := "/e" + strconv.Itoa(e)
		done.Go(func() {
			for time.Now().Before(deadline) {
				m := mcp.NewServer(&mcp.Implementation{Name: path, Version: "1"}, nil)
				s.Handle(path, m)
				time.Sleep(3 * time.Millisecond)
				m.AddPrompt(&mcp.Prompt{Name: "news"}, nil)
				time.Sleep(3 * time.Millisecond)
				if !s.Remove(path) {
					t.Errorf("%s was not there", path)
				}
				m.Close()
			}
		})
	}
	var answered, missing atomic.Int64
	for n := range clients {
		path := "/e" + strconv.Itoa(n%endpoints)
		clientsDone.Go(func() {
			for i := 0; time.Now().Before(deadline); i++ {
				var status int
				var body, want string
				if i%2 == 0 {
					status, body = post(path, "server/discover", "")
					want = `"name":"` + path + `"`
				} else {
					status, body = post(path, "subscriptions/listen", `"notifications":{"promptsListChanged":true},`)
					want = `"result"`
				}
				switch {
				case status == 404:
					missing.Add(1)
				case status != 200 || !strings.Contains(body, want):
					t.Errorf("%s: %d %s", path, status, body)
				default:
					answered.Add(1)
				}
				if status, body := post("/mcp", "server/discover", ""); status != 200 || !strings.Contains(body, `"stays"`) {
					t.Errorf("/mcp: %d %s", status, body)
				}
			}
		})
	}
	done.Wait()
	clientsDone.Wait()
	if answered.Load() == 0 || missing.Load() == 0 {
		t.Errorf("%d answers, %d times 404: the test does not test", answered.Load(), missing.Load())
	}
	if n := s.Stats().Streams; n != 0 {
		t.Errorf("%d streams are left", n)
	}
	if err := s.Shutdown(t.Context()); err != nil {
		t.Error(err)
	}
	if err := <-served; err != server.ErrServerClosed {
		t.Error(err)
	}
}
