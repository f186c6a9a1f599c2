package main

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestReleasesCarryTheirVersion checks that the linker flag of releases and images sets what
// mooring version prints.
func TestReleasesCarryTheirVersion(t *testing.T) {
	const flag = "-X main.version="
	for _, file := range []string{"../../.goreleaser.yml", "../../Dockerfile"} {
		text, err := os.ReadFile(filepath.FromSlash(file))
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Contains(text, []byte(flag)) {
			t.Errorf("%s does not set the version: no %s", file, flag)
		}
	}
	bin := filepath.Join(t.TempDir(), "mooring")
	if out, err := exec.Command("go", "build", "-buildvcs=false", "-ldflags", flag+"v1.2.3", "-o", bin, ".").CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
	out, err := exec.Command(bin, "version").Output()
	if err != nil || !strings.HasPrefix(string(out), "mooring v1.2.3 ") {
		t.Errorf("mooring version: %v, %q, want mooring v1.2.3", err, out)
	}
}
