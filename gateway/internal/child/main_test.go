package child

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"os"
	"os/signal"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"
)

// asChild names the environment variable that turns the test binary into a child.
const asChild = "MOORING_TEST_AS_CHILD"

func TestMain(m *testing.M) {
	if name := os.Getenv(asChild); name != "" {
		behaviour, ok := behaviours[name]
		if !ok {
			fmt.Fprintln(os.Stderr, "no behaviour", name)
			os.Exit(99)
		}
		behaviour()
		os.Exit(0)
	}
	goleak.VerifyTestMain(m)
}

// behaviours are what children do.
var behaviours = map[string]func(){
	"echo":       func() { echo(os.Stdin, os.Stdout) },
	"silent":     func() { _, _ = io.Copy(io.Discard, os.Stdin) },
	"exit":       func() { fmt.Fprintln(os.Stderr, "cannot start: no configuration"); os.Exit(3) },
	"exit first": func() { _, _ = bufio.NewReader(os.Stdin).ReadString('\n'); os.Exit(4) },
	"banner": func() {
		fmt.Print("\xEF\xBB\xBFWelcome to the server!\r\n\n{'not': 'JSON'}\n{\"level\":\"info\",\"msg\":\"started\"}\nlog: {\"jsonrpc\":\"2.0\",\"id\":1,\"result\":0}\n[1]\n")
		echo(os.Stdin, os.Stdout)
	},
	"byte order mark": func() {
		fmt.Print("\xEF\xBB\xBF" + `{"jsonrpc":"2.0","method":"hello"}` + "\n")
		echo(os.Stdin, os.Stdout)
	},
	"crlf": func() {
		eachLine(func(line []byte) { fmt.Printf("  %s\r\n", answer(line)) })
	},
	"array": func() {
		var lines [][]byte
		eachLine(func(line []byte) {
			if lines = append(lines, answer(line)); len(lines) == 3 {
				fmt.Printf("[%s , 7, {\"jsonrpc\":\"2.0\",\"method\":\"hello\"}]\n", bytes.Join(lines, []byte(", ")))
			}
		})
	},
	"stderr": func() {
		chunk := bytes.Repeat([]byte("all work and no play makes jack a dull boy 0123456789 0123456789\n"), 1024)
		for range 16 {
			_, _ = os.Stderr.Write(chunk)
		}
		fmt.Fprintln(os.Stderr, "the end of stderr")
		echo(os.Stdin, os.Stdout)
	},
	// A line of 20 MB in response to the request that asks for it.
	"long": func() {
		eachLine(func(line []byte) {
			filler := strings.Repeat(`{"id":77,"x":"\"id\":78}"},`, 800_000)
			switch method(line) {
			case "head":
				fmt.Printf(`{"jsonrpc":"2.0","id":%d,"result":[%s 0]}`+"\n", idOf(line), filler)
			case "tail":
				fmt.Printf(`{"result":[%s 0],"jsonrpc":"2.0","id":%d}`+"\n", filler, idOf(line))
			case "neither":
				fmt.Printf(`{"result":[%s 0],"jsonrpc":"2.0","id":%d,"x":0}`+"\n", filler, idOf(line))
			case "request":
				fmt.Printf(`{"jsonrpc":"2.0","id":%d,"method":"sampling/createMessage","params":[%s 0]}`+"\n", idOf(line), filler)
			default:
				fmt.Printf("%s\n", answer(line))
			}
		})
	},
	// A line of 8 MiB less one byte.
	"large": func() {
		eachLine(func(line []byte) {
			begin := fmt.Sprintf(`{"jsonrpc":"2.0","id":%d,"result":"`, idOf(line))
			if method(line) == "large" {
				begin += strings.Repeat("x", 8<<20-1-len(begin)-2)
			}
			fmt.Print(begin + "\"}\n")
		})
	},
	"split": func() { // each byte of a multi-byte text on its own
		eachLine(func(line []byte) {
			for _, b := range fmt.Appendf(nil, `{"jsonrpc":"2.0","id":%d,"result":"日本語 🎉"}`+"\n", idOf(line)) {
				_, _ = os.Stdout.Write([]byte{b})
				time.Sleep(100 * time.Microsecond)
			}
		})
	},
	"stubborn": func() { // ignores the end of its input, and SIGTERM
		signal.Ignore(syscall.SIGTERM, syscall.SIGINT, syscall.SIGHUP)
		go echo(os.Stdin, os.Stdout)
		hang()
	},
	"deaf": hang, // does not read
	"slow": func() {
		time.Sleep(time.Second)
		echo(os.Stdin, os.Stdout)
	},
	"environment": func() {
		eachLine(func(line []byte) {
			env := os.Environ()
			slices.Sort(env)
			dir, _ := os.Getwd()
			fmt.Printf(`{"jsonrpc":"2.0","id":%d,"result":%q}`+"\n", idOf(line), strings.Join(append(env, "dir="+dir), "\x00"))
		})
	},
	"half": func() { // answers, then closes stdout and goes on
		echoOne()
		_ = os.Stdout.Close()
		hang()
	},
	"truncated": func() { // dies within a response
		eachLine(func(line []byte) {
			fmt.Print(`{"jsonrpc":"2.0","id":` + strconv.FormatInt(idOf(line), 10) + `,"result":{"content":[`)
			os.Exit(5)
		})
	},
	"last words": func() {
		eachLine(func(line []byte) {
			fmt.Fprintf(os.Stderr, "panic: out of luck\n")
			fmt.Printf("%s\n", answer(line))
			os.Exit(6)
		})
	},
	"gateway": gateway,
}

// hang never returns. Without a timer, the runtime would see a deadlock.
func hang() {
	for {
		time.Sleep(time.Hour)
	}
}

// echo answers each request until the input ends.
func echo(r io.Reader, w io.Writer) {
	in := bufio.NewReaderSize(r, 64<<10)
	out := bufio.NewWriterSize(w, 64<<10)
	for {
		line, err := in.ReadBytes('\n')
		if err != nil {
			return
		}
		if a := answer(line); a != nil {
			_, _ = out.Write(append(a, '\n'))
		}
		if in.Buffered() == 0 {
			_ = out.Flush()
		}
	}
}

func echoOne() {
	line, _ := bufio.NewReader(os.Stdin).ReadBytes('\n')
	fmt.Printf("%s\n", answer(line))
}

func eachLine(do func(line []byte)) {
	in := bufio.NewReaderSize(os.Stdin, 64<<10)
	for {
		line, err := in.ReadBytes('\n')
		if err != nil {
			return
		}
		do(line)
	}
}

// answer returns the response to a request as rig.request writes it, or nil for others.
func answer(line []byte) []byte {
	id := idOf(line)
	if id == 0 {
		return nil
	}
	return fmt.Appendf(nil, `{"jsonrpc":"2.0","id":%d,"result":{"pid":%d}}`, id, os.Getpid())
}

func idOf(line []byte) int64 {
	_, rest, _ := bytes.Cut(line, []byte(`"id":`))
	digits, _, _ := bytes.Cut(rest, []byte(","))
	id, _ := strconv.ParseInt(string(digits), 10, 64)
	return id
}

func method(line []byte) string {
	_, rest, _ := bytes.Cut(line, []byte(`"method":"`))
	name, _, _ := bytes.Cut(rest, []byte(`"`))
	return string(name)
}
