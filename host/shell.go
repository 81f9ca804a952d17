package host

import (
	"embed"
	"strings"

	"gitea.arcodange.lab/arcodange-org/lab/host/ssh"
)

// The shell that is sent to machines. Every text is POSIX sh, passes shellcheck, and takes its variables from assignments that are put in
// front of it.
//
//go:embed sh/*.sh
var shellFiles embed.FS

// shell returns the text of sh/NAME.sh with assignments in front of it: vars are names and values, one after the other.
func shell(name string, vars ...string) string {
	text, err := shellFiles.ReadFile("sh/" + name + ".sh")
	if err != nil {
		panic(err) // the names are those of files that are compiled in
	}
	var b strings.Builder
	for i := 0; i+1 < len(vars); i += 2 {
		b.WriteString(vars[i] + "=" + ssh.Quote(vars[i+1]) + "\n")
	}
	for line := range strings.Lines(string(text)) {
		if !strings.HasPrefix(strings.TrimSpace(line), "#") { // comments need not travel
			b.WriteString(line)
		}
	}
	return b.String()
}

// words returns the arguments quoted for a shell, with a space before each.
func words(args []string) string {
	var b strings.Builder
	for _, a := range args {
		b.WriteByte(' ')
		b.WriteString(ssh.Quote(a))
	}
	return b.String()
}
