package main

import (
	"slices"
	"sync"

	"gitea.arcodange.lab/arcodange-org/lab/host"
)

// selection is which resources are asked for, and what there was to choose from. It is safe for concurrent use.
type selection struct {
	globs []string // of IDs; none means all

	mu     sync.Mutex
	states []host.State
}

// of takes in what a machine should be in a stage, and hands it on.
func (s *selection) of(state host.State, err error) (host.State, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.states = append(s.states, state)
	return state, err
}

// missed is the error of globs that selected nothing. It is known when all stages were planned.
func (s *selection) missed(results []StageResult) error {
	if slices.ContainsFunc(results, func(r StageResult) bool { return r.Waits != "" || r.Err != nil }) {
		return nil
	}
	return host.Unmatched(s.globs, s.states...)
}
