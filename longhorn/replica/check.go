package replica

// Checked is what [Check] found.
type Checked struct {
	FileSystem FileSystem `json:"file_system"`
	Tool       string     `json:"tool,omitempty"` // the checker that was run; empty when there was none
	Clean      bool       `json:"clean"`          // the checker found nothing to complain of, after the journal's replay if there was one
	Replayed   bool       `json:"replayed"`       // Clean speaks of a copy whose journal was replayed
	Output     string     `json:"output"`         // of the checker, or why there was none
}

// Warnings returns the report as warnings: none when the file system is clean.
func (c *Checked) Warnings(path string) []Warning {
	var ws warnings
	switch {
	case c.Tool == "":
		what := c.FileSystem.Type
		if what == "" {
			what = "unknown content"
		}
		ws.add(WarnNotChecked, path, "%s: %s", what, c.Output)
	case !c.Clean:
		ws.add(WarnNotClean, path, "%s: %s found errors", c.FileSystem.Type, c.Tool)
	}
	return ws
}
