package real

import (
	"os"
	"testing"
)

// Required reports whether LAB_REAL=require is set, as in CI: a missing server is
// then a failure, not a reason to skip a test.
func Required() bool { return os.Getenv("LAB_REAL") == "require" }

// Missing ends the test because what, such as "Linux and root" or "sshd of
// OpenSSH", is missing: the test is skipped with "needs WHAT", or fails if
// [Required].
func Missing(tb testing.TB, what string) {
	tb.Helper()
	if Required() {
		tb.Fatalf("needs %s (LAB_REAL=require)", what)
	}
	tb.Skipf("needs %s", what)
}

// Long ends a test that takes long, under go test -short: the test is skipped, or fails if [Required].
func Long(tb testing.TB) {
	tb.Helper()
	if testing.Short() {
		Missing(tb, "minutes: run it without -short")
	}
}
