package main

import (
	"bufio"
	"fmt"
	"io"
	"log"
	"os"
	"os/exec"
	"strings"
)

// process is a running subject.
type process struct {
	cmd  *exec.Cmd
	in   io.WriteCloser
	out  *bufio.Scanner
	addr string
}

func start(bin string, args ...string) *process {
	p := &process{cmd: exec.Command(bin+"/subject", args...)}
	p.cmd.Stderr = os.Stderr
	var err error
	if p.in, err = p.cmd.StdinPipe(); err != nil {
		log.Fatal(err)
	}
	out, err := p.cmd.StdoutPipe()
	if err != nil {
		log.Fatal(err)
	}
	p.out = bufio.NewScanner(out)
	if err := p.cmd.Start(); err != nil {
		log.Fatal(err)
	}
	p.addr = p.line()
	return p
}

func (p *process) line() string {
	if !p.out.Scan() {
		log.Fatalf("%s ended: %v", strings.Join(p.cmd.Args, " "), p.out.Err())
	}
	return p.out.Text()
}

func (p *process) ask(cmd string, answer ...any) {
	if _, err := fmt.Fprintln(p.in, cmd); err != nil {
		log.Fatal(err)
	}
	if _, err := fmt.Sscan(p.line(), answer...); err != nil {
		log.Fatal(err)
	}
}

// cpu returns the seconds of processor time that the subject has used.
func (p *process) cpu() float64 {
	var user, sys int64
	p.ask("cpu", &user, &sys)
	return float64(user+sys) / 1e9
}

// mem returns resident bytes and live heap bytes after a collection.
func (p *process) mem() (rss, heap float64) {
	var r, h, g int64
	p.ask("mem", &r, &h, &g)
	return float64(r), float64(h)
}

func (p *process) change() {
	var ok string
	p.ask("change", &ok)
}

func (p *process) profile(file string) {
	var ok string
	p.ask(strings.TrimSpace("profile "+file), &ok)
}

// stop ends the subject.
func (p *process) stop() {
	_ = p.in.Close()
	_ = p.cmd.Wait()
}
