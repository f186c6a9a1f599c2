package config

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const every = 2 * time.Second

// A scene is a file that is watched, in a bubble of synctest.
type scene struct {
	*testing.T
	path string
	w    *Watcher

	mu      sync.Mutex // a tick is no synchronization for the race detector
	reports []string   // of changed, since the last want
	reads   int
}

func text(name string) string { return `{"servers": {"` + name + `": {"command": "x"}}}` }

func play(t *testing.T, every time.Duration, story func(s *scene)) {
	path := filepath.Join(t.TempDir(), "mcp.json")
	synctest.Test(t, func(t *testing.T) {
		s := &scene{T: t, path: path}
		s.write(text("one"))
		f, err := Load(path, env)
		if err != nil {
			t.Fatal(err)
		}
		s.w = newWatcher(f, env, s.changed)
		s.w.read = func(path string) ([]byte, error) {
			s.mu.Lock()
			defer s.mu.Unlock()
			s.reads++
			return readFile(path)
		}
		go s.w.run(every)
		time.Sleep(time.Second) // the story is between the looks
		story(s)
		s.w.Stop()
	})
}

func (s *scene) changed(f *File, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case err != nil:
		s.reports = append(s.reports, "error "+strings.ReplaceAll(err.Error(), s.path, "file"))
	default:
		s.reports = append(s.reports, "file "+f.Servers[0].Name)
	}
}

func (s *scene) readsSoFar() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.reads
}

// writeAged writes the file and gives it the time of the bubble, minus an age.
func (s *scene) writeAged(content string, age time.Duration) {
	s.Helper()
	if err := os.WriteFile(s.path, []byte(content), 0o600); err != nil {
		s.Fatal(err)
	}
	at := time.Now().Add(-age)
	if err := os.Chtimes(s.path, at, at); err != nil {
		s.Fatal(err)
	}
}

func (s *scene) write(content string) { s.Helper(); s.writeAged(content, 0) }

// want lets the watcher look some times and checks what it has reported meanwhile.
func (s *scene) want(why string, looks int, reports ...string) {
	s.Helper()
	time.Sleep(time.Duration(looks) * every)
	synctest.Wait()
	s.mu.Lock()
	defer s.mu.Unlock()
	if got, want := fmt.Sprintf("%q", s.reports), fmt.Sprintf("%q", reports); got != want {
		s.Errorf("%s: got %s, want %s", why, got, want)
	}
	s.reports = nil
}

func TestWatch(t *testing.T) {
	play(t, every, func(s *scene) {
		s.want("nothing has changed", 5)
		s.write(text("two"))
		s.want("a new content", 1, "file two")
		s.want("it is reported once", 5)
		s.write(text("two"))
		s.want("written, but the same", 5)
		s.write(text("own"))
		s.w.Look()
		s.want("seen at once", 0, "file own")
		s.w.Look()
		s.want("asked for", 0, "file own")
	})
}

// TestWatchBadFile: a bad file is reported once, when it is the same at two looks.
func TestWatchBadFile(t *testing.T) {
	play(t, every, func(s *scene) {
		s.write("{")
		s.want("somebody may be writing", 1)
		s.write(text("two"))
		s.want("it was written", 1, "file two")
		s.write("{")
		s.want("an error that stays", 10, "error file:1:2: the text ends too early")
		s.write("{ ")
		s.want("another error", 10, "error file:1:3: the text ends too early")
		s.w.Look()
		s.want("asked for, it is reported again", 10, "error file:1:3: the text ends too early")
		s.write(text("two"))
		s.want("it is as it was before", 10, "file two")
		if err := os.Remove(s.path); err != nil {
			s.Fatal(err)
		}
		s.want("it is gone", 10, "error stat file: no such file or directory")
		s.write(text("two"))
		s.want("it is back", 10, "file two")
		s.write("{")
		s.want("an error is seen once", 1)
		s.write(text("two"))
		s.want("and is over, so that there is nothing to report", 10)
		s.write("{\"servers\": {}}" + strings.Repeat(" ", MaxFile))
		s.want("too large", 10, "error file: larger than 1048576 bytes")
	})
}

// TestWatchReadsWhatMayHaveChanged: an old file is read again only if its time, size or identity is
// another; a young one always, because its time may be the same after a change.
func TestWatchReadsWhatMayHaveChanged(t *testing.T) {
	play(t, every, func(s *scene) {
		s.want("while the file is young", 3)
		young := s.readsSoFar()
		s.want("when it is old", 10)
		if got := s.readsSoFar(); young == 0 || got != young {
			s.Errorf("the file was read %d times while it was young, and %d times after that", young, got-young)
		}
		s.write(text("two"))
		s.want("another time", 1, "file two")
		s.writeAged(text("own"), every)
		s.want("the same time and size, but another content", 1, "file own")
		s.writeAged(text("old"), time.Hour)
		s.want("an older time", 1, "file old")
		reads := s.readsSoFar()
		s.want("unchanged", 5)
		if got := s.readsSoFar(); got != reads {
			s.Errorf("the file was read %d times, although it has not changed", got-reads)
		}
		other := s.path + ".new"
		info, err := os.Stat(s.path)
		if err != nil {
			s.Fatal(err)
		}
		if err := os.WriteFile(other, []byte(text("new")), 0o600); err != nil {
			s.Fatal(err)
		}
		if err := os.Chtimes(other, info.ModTime(), info.ModTime()); err != nil {
			s.Fatal(err)
		}
		if err := os.Rename(other, s.path); err != nil {
			s.Fatal(err)
		}
		s.want("another file in its place", 1, "file new")
	})
}

func TestWatchOnlyWhenAsked(t *testing.T) {
	play(t, 0, func(s *scene) {
		s.write(text("two"))
		s.want("nobody asks", 10)
		s.w.Look()
		s.want("asked for", 0, "file two")
	})
}

// TestWatchStops: when Stop returns, changed is not running, and goleak finds no goroutine.
func TestWatchStops(t *testing.T) {
	path := filepath.Join(t.TempDir(), "mcp.json")
	if err := os.WriteFile(path, []byte(text("one")), 0o600); err != nil {
		t.Fatal(err)
	}
	f, err := Load(path, env)
	if err != nil {
		t.Fatal(err)
	}
	for i := range 20 {
		running := 0 // the race detector sees who writes it
		w := Watch(f, time.Microsecond, env, func(*File, error) { running++; running-- })
		for range i {
			w.Look()
		}
		w.Stop()
		w.Look() // is allowed, and has no effect
		if running != 0 {
			t.Error("changed is running after Stop")
		}
	}
	goleak.VerifyNone(t)
}
