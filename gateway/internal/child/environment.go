package child

import (
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
)

// inherited are the variables that a child gets from this process, with those that begin with
// LC_. Nothing else is passed on, because there may be secrets.
var inherited = []string{"PATH", "HOME", "USER", "LOGNAME", "SHELL", "TERM", "LANG", "TMPDIR"}

// environment returns the variables of a child: those of host that are inherited, and config.
func environment(host []string, config map[string]string) []string {
	var env []string
	for _, entry := range host {
		name, _, ok := strings.Cut(entry, "=")
		if !ok || !slices.Contains(inherited, name) && !strings.HasPrefix(name, "LC_") {
			continue
		}
		if _, set := config[name]; !set {
			env = append(env, entry)
		}
	}
	for name, value := range config {
		env = append(env, name+"="+value)
	}
	slices.Sort(env)
	return env
}

// lookup returns the file of the command: as execvp(3) does in a process that has changed to dir
// and has the PATH, if there is one in config.
func lookup(command, dir string, config map[string]string) (string, error) {
	if strings.ContainsRune(command, '/') {
		if !filepath.IsAbs(command) && dir != "" {
			command = filepath.Join(dir, command)
		}
		return absolute(exec.LookPath(command))
	}
	list, ok := config["PATH"]
	if !ok {
		return absolute(exec.LookPath(command))
	}
	for _, folder := range filepath.SplitList(list) {
		if !filepath.IsAbs(folder) {
			continue // what lies in the working directory is not for a configuration to name
		}
		if file, err := exec.LookPath(filepath.Join(folder, command)); err == nil {
			return file, nil
		}
	}
	return "", &exec.Error{Name: command, Err: exec.ErrNotFound}
}

// absolute makes file absolute, because it is run from another working directory.
func absolute(file string, err error) (string, error) {
	if err != nil {
		return "", err
	}
	return filepath.Abs(file)
}
