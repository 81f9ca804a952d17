package ssh

// Cut returns the result of a script that failed and wrote this to its standard error, of which limit bytes were
// collected.
func Cut(stderr string, limit int) *Result {
	return &Result{Exit: 1, Stderr: []byte(stderr[:min(limit, len(stderr))]), stderrCut: len(stderr) > limit}
}
