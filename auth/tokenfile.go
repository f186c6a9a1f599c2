package auth

import (
	"bytes"
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// TokenFileOptions configure [NewTokenFile].
type TokenFileOptions struct {
	// MaxTokens is how many tokens the file may have. The default is 10,000. Each request compares
	// its token with all of them.
	MaxTokens int
	// MaxBytes is how large the file may be. The default is 4 MiB.
	MaxBytes int64
	// Logger is notified when the file has been reloaded, or cannot be. The default is
	// slog.Default().
	Logger *slog.Logger
}

const (
	defaultMaxTokens = 10_000
	defaultMaxBytes  = 4 << 20
	// reloadInterval is how often the file is checked for changes at most.
	reloadInterval = time.Second
	// settled is the age from which on a file's modification time is trusted: two changes within
	// the clock's resolution have the same.
	settled = 2 * time.Second
	// hashPrefix begins the second field of a line, so that other hashes can follow.
	hashPrefix = "sha256:"
)

// HashToken returns the second field of a line in a token file ([NewTokenFile]) for token. The hash
// has no salt and is fast, so the token must be random, with 128 bits or more: it must not be a
// password.
func HashToken(token string) string {
	sum := sha256.Sum256([]byte(token))
	return hashPrefix + hex.EncodeToString(sum[:])
}

// A TokenFile verifies static tokens and API keys. Create it with [NewTokenFile].
type TokenFile struct {
	path string
	opts TokenFileOptions

	current atomic.Pointer[tokenSet]
	checked atomic.Int64 // when the file was last checked, in nanoseconds
	mu      sync.Mutex   // held while the file is being read
	// The fields below belong to whoever holds mu.
	seen   os.FileInfo // the state of the file that was read last; nil means to read it again
	readAt time.Time
	broken string // the last error that was logged; "" if the file was good
}

// A tokenSet is the content of a good file. hashes and infos have the same order.
type tokenSet struct {
	hashes [][sha256.Size]byte
	infos  []*TokenInfo
}

// NewTokenFile reads the file at path, which has a line for each token:
//
//	# who    hash of the token                  scopes, if any
//	ann      sha256:2c26b46b68ffc68ff99b453c…   tools:read tools:call
//
// The fields are separated by spaces or tabs. The name becomes the UserID and is part of the
// principal; a name may have several lines, so that its token can be replaced without a gap. The
// hash is 64 hexadecimal digits ([HashToken] makes it). Empty lines and lines that begin with # are
// ignored. The tokens have no Expiration: RequireBearerTokenOptions.AllowMissingExpiration must be
// set.
//
// A changed file is noticed when a token is verified, at most a second later, and replaces all
// tokens. As long as the file is missing or has an error, the last good state stays in force, and
// the log says so. Replace the file by renaming another one, so that it is never seen half-written.
//
// Nil opts are the defaults. The error says what is wrong with the file, never what is in it.
func NewTokenFile(path string, opts *TokenFileOptions) (*TokenFile, error) {
	f := &TokenFile{path: path}
	if opts != nil {
		f.opts = *opts
	}
	if f.opts.MaxTokens <= 0 {
		f.opts.MaxTokens = defaultMaxTokens
	}
	if f.opts.MaxBytes <= 0 {
		f.opts.MaxBytes = defaultMaxBytes
	}
	if f.opts.Logger == nil {
		f.opts.Logger = slog.Default()
	}
	now := time.Now()
	if _, err := f.read(now); err != nil {
		return nil, fmt.Errorf("auth: token file: %w", err)
	}
	f.checked.Store(now.UnixNano())
	return f, nil
}

// Verify is a [TokenVerifier]. The time it takes does not depend on how much of a token is right.
func (f *TokenFile) Verify(ctx context.Context, token string, _ *http.Request) (*TokenInfo, error) {
	f.reload(ctx, time.Now())
	set := f.current.Load()
	sum := sha256.Sum256([]byte(token))
	found := -1
	for i := range set.hashes {
		same := subtle.ConstantTimeCompare(sum[:], set.hashes[i][:])
		found = subtle.ConstantTimeSelect(same, i, found)
	}
	if found < 0 {
		return nil, fmt.Errorf("%w: not in the token file", ErrInvalidToken)
	}
	return set.infos[found], nil
}

// reload reads the file again if it has changed. Only one caller at a time does so, and the others
// go on with the tokens of before.
func (f *TokenFile) reload(ctx context.Context, now time.Time) {
	if now.UnixNano()-f.checked.Load() < int64(reloadInterval) || !f.mu.TryLock() {
		return
	}
	defer f.mu.Unlock()
	f.checked.Store(now.UnixNano())
	changed, err := f.read(now)
	switch {
	case err != nil && err.Error() != f.broken:
		f.broken = err.Error()
		f.opts.Logger.ErrorContext(ctx, "auth: the token file cannot be used, the tokens of before stay valid", "error", err)
	case err == nil && (changed || f.broken != ""):
		f.broken = ""
		f.opts.Logger.InfoContext(ctx, "auth: the token file has been reloaded", "tokens", len(f.current.Load().hashes))
	}
}

// read replaces the tokens if the file is good and not the one that was read last.
func (f *TokenFile) read(now time.Time) (changed bool, err error) {
	file, err := os.Open(f.path)
	if err != nil {
		f.seen = nil
		return false, err
	}
	defer file.Close()
	stat, err := file.Stat()
	if err != nil {
		return false, err
	}
	if f.unchanged(stat) {
		return false, nil
	}
	f.seen = nil // until the file has proved good
	if !stat.Mode().IsRegular() {
		return false, errors.New("not a regular file")
	}
	content, err := io.ReadAll(io.LimitReader(file, f.opts.MaxBytes+1))
	if err != nil {
		return false, err
	}
	if int64(len(content)) > f.opts.MaxBytes {
		return false, fmt.Errorf("more than %d bytes", f.opts.MaxBytes)
	}
	set, err := parseTokens(content, f.opts.MaxTokens)
	if err != nil {
		return false, err
	}
	changed = !set.equal(f.current.Load())
	if changed {
		f.current.Store(set)
	}
	f.seen, f.readAt = stat, now
	return changed, nil
}

// unchanged reports whether stat is that of the content that was read last.
func (f *TokenFile) unchanged(stat os.FileInfo) bool {
	return f.seen != nil && os.SameFile(f.seen, stat) && f.seen.Size() == stat.Size() &&
		f.seen.ModTime().Equal(stat.ModTime()) && f.readAt.Sub(stat.ModTime()) >= settled
}

func (s *tokenSet) equal(o *tokenSet) bool {
	if o == nil || len(s.hashes) != len(o.hashes) {
		return false
	}
	for i, info := range s.infos {
		if s.hashes[i] != o.hashes[i] || info.UserID != o.infos[i].UserID ||
			strings.Join(info.Scopes, " ") != strings.Join(o.infos[i].Scopes, " ") {
			return false
		}
	}
	return true
}

func parseTokens(content []byte, limit int) (*tokenSet, error) {
	set := &tokenSet{}
	lines := map[[sha256.Size]byte]int{}
	number := 0
	for line := range bytes.Lines(content) {
		number++
		fields := strings.Fields(string(line))
		if len(fields) == 0 || fields[0][0] == '#' {
			continue
		}
		if len(set.hashes) == limit {
			return nil, fmt.Errorf("line %d: more than %d tokens", number, limit)
		}
		if len(fields) < 2 {
			return nil, fmt.Errorf("line %d: want a name and a hash", number)
		}
		for _, s := range append(fields[:1:1], fields[2:]...) {
			if !printable(s) {
				return nil, fmt.Errorf("line %d: a name or scope is not printable UTF-8", number)
			}
		}
		digits, ok := strings.CutPrefix(fields[1], hashPrefix)
		var sum [sha256.Size]byte
		if !ok || len(digits) != hex.EncodedLen(len(sum)) {
			return nil, fmt.Errorf("line %d: the hash must be %s and 64 hexadecimal digits", number, hashPrefix)
		}
		if _, err := hex.Decode(sum[:], []byte(digits)); err != nil {
			return nil, fmt.Errorf("line %d: the hash must be %s and 64 hexadecimal digits", number, hashPrefix)
		}
		if first := lines[sum]; first != 0 {
			return nil, fmt.Errorf("line %d: the same token as in line %d", number, first)
		}
		lines[sum] = number
		set.hashes = append(set.hashes, sum)
		set.infos = append(set.infos, &TokenInfo{UserID: fields[0], Scopes: fields[2:]})
	}
	return set, nil
}
