package real

import (
	"os"
	"testing"
)

// Required reports whether LAB_REAL=require is set, as in CI: a real server
// that cannot be had is then a failure, not a reason to skip.
func Required() bool { return os.Getenv("LAB_REAL") == "require" }

// Missing ends the test because what, named as in "Linux and root" or "sshd of
// OpenSSH", is not there: it skips with "needs WHAT", or fails when
// [Required].
func Missing(tb testing.TB, what string) {
	tb.Helper()
	if Required() {
		tb.Fatalf("needs %s (LAB_REAL=require)", what)
	}
	tb.Skipf("needs %s", what)
}
