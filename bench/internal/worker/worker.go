// Package worker moves part of a measurement to another process of the same program. This side
// sends requests as lines of JSON, and the other side replies to each with one line. The first line
// names the job.
package worker

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"sync"
	"time"
)

// A Job answers each request from in with one reply to out. It returns when in ends, with io.EOF if
// nothing else is wrong.
type Job func(in *json.Decoder, out *json.Encoder) error

// Work does the job that the process at the other end of in and out names. It returns when in ends,
// because that process has then exited or needs no more.
func Work(in io.Reader, out io.Writer, jobs map[string]Job) error {
	dec, enc := json.NewDecoder(in), json.NewEncoder(out)
	var name string
	err := dec.Decode(&name)
	if err == nil {
		job := jobs[name]
		if job == nil {
			return fmt.Errorf("worker: there is no job %q", name)
		}
		err = job(dec, enc)
	}
	if err != nil && !errors.Is(err, io.EOF) {
		return fmt.Errorf("worker: %w", err)
	}
	return nil
}

// A reply is one line of the other side.
type reply[R any] struct {
	Error string `json:"error,omitempty"`
	Value R      `json:"value"`
}

// Serve is the loop of a Job that answers each request with what serve returns.
func Serve[Q, R any](in *json.Decoder, out *json.Encoder, serve func(*Q) (R, error)) error {
	for {
		var req Q
		if err := in.Decode(&req); err != nil {
			return err
		}
		var rep reply[R]
		var err error
		if rep.Value, err = serve(&req); err != nil {
			rep = reply[R]{Error: err.Error()}
		}
		if err := out.Encode(&rep); err != nil {
			return err
		}
	}
}

// Ask sends a request to a process whose job is a Serve with R, and waits for the reply.
func Ask[R any](p *Process, request any) (R, error) {
	var rep reply[R]
	err := p.ask(request, &rep)
	if err == nil && rep.Error != "" {
		err = fmt.Errorf("worker: %s", rep.Error)
	}
	return rep.Value, err
}

// A Process is the near end of a worker process. Its methods may be called from any goroutine.
type Process struct {
	cmd *exec.Cmd
	in  io.WriteCloser

	mu  sync.Mutex // one request at a time
	enc *json.Encoder
	dec *json.Decoder
}

// Start starts a process with a command that runs Work, and names its job. The caller must call
// Close.
func Start(command []string, job string) (*Process, error) {
	cmd := exec.Command(command[0], command[1:]...)
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		return nil, fmt.Errorf("worker: %w", err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, fmt.Errorf("worker: %w", err)
	}
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("worker: %w", err)
	}
	p := &Process{cmd: cmd, in: in, enc: json.NewEncoder(in), dec: json.NewDecoder(bufio.NewReader(out))}
	if err := p.enc.Encode(job); err != nil {
		p.Close()
		return nil, fmt.Errorf("worker: %w", err)
	}
	return p, nil
}

func (p *Process) ask(request, reply any) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if err := p.enc.Encode(request); err != nil {
		return fmt.Errorf("worker: %w", err)
	}
	if err := p.dec.Decode(reply); err != nil {
		return fmt.Errorf("worker: %w", err)
	}
	return nil
}

// Kill ends the process at once: an Ask that is waiting fails.
func (p *Process) Kill() { _ = p.cmd.Process.Kill() }

// Close lets the process end by itself, and kills it if it does not.
func (p *Process) Close() {
	_ = p.in.Close()
	t := time.AfterFunc(5*time.Second, p.Kill)
	defer t.Stop()
	_ = p.cmd.Wait()
}
