package docker

import (
	"cmp"
	"fmt"
	"strconv"
	"strings"

	"gitea.arcodange.lab/arcodange-org/lab"
)

// Window is the range of Docker API versions that an engine speaks.
type Window struct{ Min, Max string } // "1.24", "1.51"

// CheckAPI returns an error, [lab.ErrConflict], if a client of the API version could not use an engine with the window.
func CheckAPI(client string, w Window) error {
	why, hint := w.excludes(client)
	if why == "" {
		return nil
	}
	return &lab.Error{Op: "check the API of docker", Hint: hint, Err: fmt.Errorf("%w: %s", lab.ErrConflict, why)}
}

// excludes returns why a client of the API version could not use the engine, and what to do; empty if it can.
func (w Window) excludes(client string) (why, hint string) {
	switch {
	case compareAPI(client, w.Max) > 0:
		return fmt.Sprintf("the client speaks version %s of the API, and the engine at most %s", client, w.Max),
			"use a newer engine, or a client that speaks " + w.Max
	case compareAPI(client, w.Min) < 0:
		return fmt.Sprintf("the client speaks version %s of the API, and the engine none before %s", client, w.Min),
			"use an older engine, or upgrade the client, such as k3s, first"
	}
	return "", ""
}

// compareAPI compares two API versions: 1.5 is less than 1.24.
func compareAPI(a, b string) int {
	am, an, _ := strings.Cut(a, ".")
	bm, bn, _ := strings.Cut(b, ".")
	number := func(s string) int { n, _ := strconv.Atoi(s); return n }
	return cmp.Or(cmp.Compare(number(am), number(bm)), cmp.Compare(number(an), number(bn)))
}

// windows are those of the engines by major version, as docs.docker.com/reference/api/engine/#api-version-matrix says.
// Where minor versions differ, it is what all of them speak.
var windows = map[int]Window{
	20: {"1.12", "1.40"}, 23: {"1.12", "1.42"}, 24: {"1.12", "1.43"}, 25: {"1.24", "1.44"}, 26: {"1.24", "1.45"},
	27: {"1.24", "1.46"}, 28: {"1.24", "1.48"}, 29: {"1.44", "1.52"},
}

// windowOf returns the window of the engine with the version of the package; false if it is not known.
func windowOf(version string) (Window, bool) {
	if _, after, ok := strings.Cut(version, ":"); ok {
		version = after
	}
	text, rest, _ := strings.Cut(version, ".")
	major, _ := strconv.Atoi(text)
	w, ok := windows[major]
	if ok && major == 20 && strings.HasPrefix(rest, "10.") {
		w.Max = "1.41"
	}
	return w, ok
}
