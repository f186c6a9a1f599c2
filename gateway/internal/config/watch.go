package config

import (
	"crypto/sha256"
	"os"
	"time"
)

// coarse is how far apart two changes are that every file system gives different times.
const coarse = 3 * time.Second

// A Watcher follows a file. Its methods may be called from any goroutine.
type Watcher struct {
	path    string
	lookup  func(string) (string, bool)
	changed func(*File, error)
	read    func(path string) ([]byte, error)

	look           chan struct{}
	done, finished chan struct{}

	// What follows belongs to the goroutine of run.

	info   os.FileInfo // of the file when it was read, nil if it could not be
	isOld  bool        // its time was old enough then for a later change to have another
	last   content     // what was read
	good   content     // what was reported as a file
	bad    string      // the error that was reported since, or ""
	doubts string      // an error that was seen once and may be of a file that is being written
}

// content is the hash of a file.
type content [sha256.Size]byte

// Watch follows the file that f was loaded from, and calls changed from a goroutine of its own, one
// call at a time. When the file has another content, changed gets it. If it cannot be read or is
// wrong, changed gets the error once, as soon as two looks in a row have found the same: until then
// somebody may be writing it. After an error it also gets the file if that is again as it was.
//
// Watch looks at the time and size of the file at each interval, and compares the content if they
// are not as before or so new that they prove nothing. With an interval of 0 it only looks when
// Look is called.
func Watch(f *File, every time.Duration, lookup func(name string) (value string, ok bool), changed func(*File, error)) *Watcher {
	w := newWatcher(f, lookup, changed)
	go w.run(every)
	return w
}

func newWatcher(f *File, lookup func(string) (string, bool), changed func(*File, error)) *Watcher {
	return &Watcher{
		path: f.Path, lookup: lookup, changed: changed, read: readFile, last: f.content, good: f.content,
		look: make(chan struct{}, 1), done: make(chan struct{}), finished: make(chan struct{}),
	}
}

// Look has the watcher look at the file soon and report what it finds, even if that is as before.
// It does not wait for that.
func (w *Watcher) Look() {
	select {
	case w.look <- struct{}{}:
	default: // it is about to look
	}
}

// Stop ends the watcher. When it returns, changed is not running and is not called again. It must
// be called once, and not by changed.
func (w *Watcher) Stop() {
	close(w.done)
	<-w.finished
}

func (w *Watcher) run(every time.Duration) {
	defer close(w.finished)
	var tick <-chan time.Time
	if every > 0 {
		t := time.NewTicker(every)
		defer t.Stop()
		tick = t.C
	}
	for {
		select {
		case <-w.done:
			return
		default: // Stop goes first
		}
		select {
		case <-w.done:
			return
		case <-w.look:
			w.check(true)
		case <-tick:
			w.check(false)
		}
	}
}

// check looks at the file. It reports what it finds if that is new, or if asked is true.
func (w *Watcher) check(asked bool) {
	info, err := os.Stat(w.path)
	if err == nil && !asked && w.doubts == "" && w.isOld && isAsBefore(w.info, info) {
		return
	}
	// Time and size are from before the content, so that a change in between is seen later.
	w.info, w.isOld = info, err == nil && time.Since(info.ModTime()) > coarse
	var src []byte
	if err == nil {
		src, err = w.read(w.path)
	}
	if err != nil {
		w.info, w.last = nil, content{}
		w.failed(err, asked)
		return
	}
	now := content(sha256.Sum256(src))
	if now == w.last && !asked && w.doubts == "" {
		return
	}
	w.last = now
	f, err := Parse(w.path, src, w.lookup)
	if err != nil {
		w.failed(err, asked)
		return
	}
	w.doubts = ""
	if now == w.good && w.bad == "" && !asked {
		return
	}
	w.good, w.bad = now, ""
	w.changed(f, nil)
}

// failed reports an error, unless it is known or has only now been seen.
func (w *Watcher) failed(err error, asked bool) {
	text := err.Error()
	switch {
	case asked:
	case text == w.bad:
		w.doubts = ""
		return
	case text != w.doubts:
		w.doubts = text
		return
	}
	w.bad, w.doubts = text, ""
	w.changed(nil, err)
}

func isAsBefore(was, is os.FileInfo) bool {
	return was != nil && was.ModTime().Equal(is.ModTime()) && was.Size() == is.Size() && os.SameFile(was, is)
}
