package child

import (
	"cmp"
	"errors"
	"log/slog"
	"time"
)

// Options say how a Server runs its command. Except for Command, zero values are defaults, and
// negative ones count as zero.
type Options struct {
	// Name is the name of the server in logs. Default: Command.
	Name string
	// Command is looked up in the PATH of Env if it has one, else in that of this process. There is
	// no shell.
	Command string
	Args    []string
	// Env is added to the few variables that a child inherits: PATH, HOME, USER, LOGNAME, SHELL,
	// TERM, LANG, LC_* and TMPDIR.
	Env map[string]string
	// Dir is the working directory. Default: that of this process.
	Dir string

	// StartTimeout is how long a child may take until its first message. It is long because npx may
	// have to download. Default: 60 s.
	StartTimeout time.Duration
	// MaxLine is the maximum number of bytes of a line, which is a message or an array of messages.
	// A longer one is discarded, and the request that it answers fails with TooLong. Default: 8 MiB,
	// and at least 4 KiB.
	MaxLine int
	// QueueBytes limits the requests that wait to be written, each counted with 128 bytes more; a
	// single one may be longer. Beyond it requests fail with Busy. Notifications and responses may
	// take as much again, and are then dropped. Default: 8 MiB.
	QueueBytes int

	// EOFGrace is how long a child has between the end of its standard input and SIGTERM. Default:
	// 2 s.
	EOFGrace time.Duration
	// TermGrace is how long its group has between SIGTERM and SIGKILL. Default: 3 s.
	TermGrace time.Duration

	// Backoff is the time from the first crash to the next start. It doubles with each further
	// crash up to MaxBackoff, and varies by 20 %. Defaults: 0.5 s and 60 s.
	Backoff, MaxBackoff time.Duration
	// Stable is how long a child has to live for its Server to begin again at Backoff. Default: 60 s.
	Stable time.Duration

	reapEvery time.Duration // how often the ended orphans in the group of a living child are reaped

	// Logger gets what the operator should know, and at debug level each line of the children's
	// stderr. Default: slog.Default().
	Logger *slog.Logger
}

// failFast is the number of crashes in a row from which on links fail at once until the next start
// is due.
const failFast = 5

const (
	// lastWords is how long the pipes of a child that has ended are read on.
	lastWords = 250 * time.Millisecond
	// killGrace is how long a process may need to end after SIGKILL before it is left to the kernel.
	killGrace = 5 * time.Second
	// messageCost is what a message that waits counts in addition to its body.
	messageCost = 128
	// maxDetail is how much of stderr is the Detail of an error.
	maxDetail = 4 << 10
)

var errNoCommand = errors.New("child: no command")

func (o *Options) setDefaults() error {
	if o.Command == "" {
		return errNoCommand
	}
	o.Name = cmp.Or(o.Name, o.Command)
	o.StartTimeout = orDefault(o.StartTimeout, time.Minute)
	o.MaxLine = max(orDefault(o.MaxLine, 8<<20), 4<<10)
	o.QueueBytes = orDefault(o.QueueBytes, 8<<20)
	o.EOFGrace = orDefault(o.EOFGrace, 2*time.Second)
	o.TermGrace = orDefault(o.TermGrace, 3*time.Second)
	o.Backoff = orDefault(o.Backoff, 500*time.Millisecond)
	o.MaxBackoff = orDefault(o.MaxBackoff, time.Minute)
	o.Stable = orDefault(o.Stable, time.Minute)
	o.reapEvery = orDefault(o.reapEvery, 30*time.Second)
	if o.Logger == nil {
		o.Logger = slog.Default()
	}
	return nil
}

func orDefault[T ~int | ~int64](v, def T) T {
	if v <= 0 {
		return def
	}
	return v
}
