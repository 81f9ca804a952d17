package fsimage

// Checked is what [Check] found.
type Checked struct {
	FileSystem FileSystem `json:"file_system"`
	Tool       string     `json:"tool,omitempty"` // the checker that was run; empty when there was none
	// Clean: the checker found nothing to complain of, after the journal's replay if there was one.
	Clean bool `json:"clean"`
	// Failed: the checker itself failed, was killed or does not know the file system, so that nothing is
	// known of its state. Clean is false then.
	Failed   bool   `json:"failed"`
	Replayed bool   `json:"replayed"` // Clean is of a copy whose journal was replayed
	Output   string `json:"output"`   // of the checker, or why there was none
}

// Warnings returns the report as warnings of the image path: none when the file system is clean.
func (c *Checked) Warnings(path string) []Warning {
	switch {
	case c.Tool == "":
		what := c.FileSystem.Type
		if what == "" {
			what = "unknown content"
		}
		return []Warning{warning(WarnNotChecked, path, "%s: %s", what, c.Output)}
	case c.Failed:
		return []Warning{warning(WarnNotChecked, path, "%s: %s itself failed: this says nothing of the file system",
			c.FileSystem.Type, c.Tool)}
	case !c.Clean:
		return []Warning{warning(WarnNotClean, path, "%s: %s found errors", c.FileSystem.Type, c.Tool)}
	}
	return nil
}
