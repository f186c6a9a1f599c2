package report

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"testing"
	"time"
)

// A browser is a headless Chromium, controlled over two pipes with the Chrome DevTools Protocol:
// JSON messages that end in a zero byte. It has one page.
type browser struct {
	t        *testing.T
	cmd      *exec.Cmd
	in       io.WriteCloser
	messages chan message
	events   []message // received while waiting for something else
	session  string
	lastID   int
}

// A message is the response to a command, or an event.
type message struct {
	ID     int             `json:"id"`
	Method string          `json:"method"`
	Params json.RawMessage `json:"params"`
	Result json.RawMessage `json:"result"`
	Error  *struct {
		Message string `json:"message"`
	} `json:"error"`
}

// patience is how long any single step of the browser may take.
const patience = 60 * time.Second

// chromium returns the path of the browser: the one that MOORING_CHROMIUM names, which must exist,
// or the one on the PATH. If there is none, it skips the test.
func chromium(t *testing.T) string {
	t.Helper()
	if name := os.Getenv("MOORING_CHROMIUM"); name != "" {
		path, err := exec.LookPath(name)
		if err != nil {
			t.Fatalf("MOORING_CHROMIUM: %v", err)
		}
		return path
	}
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome"} {
		if path, err := exec.LookPath(name); err == nil {
			return path
		}
	}
	t.Skip("SKIPPED: the report is not checked in a browser: there is no chromium on the PATH (apt-get install chromium), and MOORING_CHROMIUM does not name one")
	return ""
}

// startBrowser starts a browser that ends with the test. It resolves no names, so that no request
// can leave the machine.
func startBrowser(t *testing.T) *browser {
	t.Helper()
	path := chromium(t)
	theirIn, ourOut, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	ourIn, theirOut, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	profile, err := os.MkdirTemp("", "report-chromium-")
	if err != nil {
		t.Fatal(err)
	}
	b := &browser{t: t, in: ourOut, messages: make(chan message, 1024)}
	b.cmd = exec.Command(path, "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run", "--disable-background-networking", "--disable-component-update",
		"--disable-extensions", "--host-resolver-rules=MAP * ~NOTFOUND", "--user-data-dir="+profile, "--remote-debugging-pipe", "about:blank")
	b.cmd.ExtraFiles = []*os.File{theirIn, theirOut} // descriptors 3 and 4
	var stderr bytes.Buffer
	b.cmd.Stderr = &stderr
	b.cmd.WaitDelay = 10 * time.Second
	if err := b.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	theirIn.Close()
	theirOut.Close()
	go b.read(ourIn)
	t.Cleanup(func() {
		fmt.Fprintf(ourOut, `{"id":1000000,"method":"Browser.close"}`+"\x00")
		done := make(chan error, 1)
		go func() { done <- b.cmd.Wait() }()
		select {
		case <-done:
		case <-time.After(10 * time.Second):
			b.cmd.Process.Kill()
			<-done
		}
		ourOut.Close()
		ourIn.Close()
		if t.Failed() {
			t.Logf("the browser said: %.2000s", stderr.String())
		}
		os.RemoveAll(profile)
	})
	var target struct {
		TargetID string `json:"targetId"`
	}
	b.call("Target.createTarget", map[string]any{"url": "about:blank"}, &target)
	var attached struct {
		SessionID string `json:"sessionId"`
	}
	b.call("Target.attachToTarget", map[string]any{"targetId": target.TargetID, "flatten": true}, &attached)
	b.session = attached.SessionID
	for _, domain := range []string{"Page", "Runtime", "Network", "Log"} {
		b.call(domain+".enable", nil, nil)
	}
	return b
}

// read passes on the browser's messages until it ends.
func (b *browser) read(r io.Reader) {
	defer close(b.messages)
	lines := bufio.NewReader(r)
	for {
		text, err := lines.ReadBytes(0)
		if err != nil {
			return
		}
		var m message
		if json.Unmarshal(text[:len(text)-1], &m) == nil {
			b.messages <- m
		}
	}
}

// next returns the next message, within patience.
func (b *browser) next(waitingFor string) message {
	b.t.Helper()
	select {
	case m, ok := <-b.messages:
		if !ok {
			b.t.Fatalf("the browser ended while waiting for %s", waitingFor)
		}
		return m
	case <-time.After(patience):
		b.t.Fatalf("no %s within %v", waitingFor, patience)
	}
	return message{}
}

// call sends a command and decodes its result into result, if that is not nil. It keeps earlier
// events.
func (b *browser) call(method string, params any, result any) {
	b.t.Helper()
	b.lastID++
	command := map[string]any{"id": b.lastID, "method": method}
	if params != nil {
		command["params"] = params
	}
	if b.session != "" {
		command["sessionId"] = b.session
	}
	text, err := json.Marshal(command)
	if err != nil {
		b.t.Fatal(err)
	}
	if _, err := b.in.Write(append(text, 0)); err != nil {
		b.t.Fatalf("%s: %v", method, err)
	}
	for {
		m := b.next("answer to " + method)
		if m.ID != b.lastID {
			b.events = append(b.events, m)
			continue
		}
		if m.Error != nil {
			b.t.Fatalf("%s: %s", method, m.Error.Message)
		}
		if result != nil {
			if err := json.Unmarshal(m.Result, result); err != nil {
				b.t.Fatalf("%s: %v", method, err)
			}
		}
		return
	}
}

// evaluate returns the value of a JavaScript expression in the page.
func (b *browser) evaluate(expression string, value any) {
	b.t.Helper()
	var result struct {
		Result struct {
			Value json.RawMessage `json:"value"`
		} `json:"result"`
		Exception json.RawMessage `json:"exceptionDetails"`
	}
	b.call("Runtime.evaluate", map[string]any{"expression": expression, "returnByValue": true}, &result)
	if result.Exception != nil {
		b.t.Fatalf("%s: %s", expression, result.Exception)
	}
	if err := json.Unmarshal(result.Result.Value, value); err != nil {
		b.t.Fatalf("%s: %v", expression, err)
	}
}

// open opens an address and waits until everything is loaded and laid out. It discards earlier
// events.
func (b *browser) open(url string) {
	b.t.Helper()
	b.events = nil
	b.call("Page.navigate", map[string]any{"url": url}, nil)
	for loaded := false; !loaded; {
		for _, m := range b.events {
			loaded = loaded || m.Method == "Page.loadEventFired"
		}
		if !loaded {
			b.events = append(b.events, b.next("Page.loadEventFired"))
		}
	}
	var height float64
	b.evaluate(`document.documentElement.getBoundingClientRect().height`, &height)
}
