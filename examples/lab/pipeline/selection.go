package pipeline

import (
	"errors"
	"slices"
	"sync"

	"gitea.arcodange.lab/arcodange-org/lab"
)

// Selection is what a run is about, and what there was to choose from. It is safe for concurrent use.
type Selection struct {
	globs []string // none means everything

	mu  sync.Mutex
	ids []string // that stages offered
}

// Globs returns the globs of the IDs that are selected; none means all.
func (s *Selection) Globs() []string { return slices.Clone(s.globs) }

// Reaches takes in IDs that changes of a stage may have, as plans show them, and reports whether
// any of them is selected.
func (s *Selection) Reaches(ids ...string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.ids = append(s.ids, ids...)
	return len(s.globs) == 0 || slices.ContainsFunc(ids, lab.Globs(s.globs).Match)
}

// failure joins what failed, in the order of the stages, and the globs that selected nothing. That
// a stage waits is no failure of its own: the one that it waits for failed, or has changes to be
// made. What there was to choose from is known only when no stage waits or failed.
func (s *Selection) failure(results []Result) error {
	var errs []error
	known := true
	for _, r := range results {
		errs = append(errs, r.Err)
		known = known && r.Err == nil && r.Waits == ""
	}
	if known {
		s.mu.Lock()
		defer s.mu.Unlock()
		errs = append(errs, lab.Globs(s.globs).Unmatched(s.ids))
	}
	return errors.Join(errs...)
}
