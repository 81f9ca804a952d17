package real

import (
	"fmt"
	"os"
	"path/filepath"
)

// Console returns what the machine has printed on its console so far, in all boots.
func (m *Machine) Console() string {
	b, err := os.ReadFile(m.consoleFile())
	if err != nil {
		return err.Error()
	}
	return string(b)
}

func (m *Machine) consoleFile() string { return filepath.Join(m.dir, "console.log") }

// note adds a line to the log of the console.
func (m *Machine) note(line string) {
	f, err := os.OpenFile(m.consoleFile(), os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return
	}
	defer f.Close()
	fmt.Fprintln(f, line)
}
