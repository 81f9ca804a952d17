// Package replicatest writes Longhorn replica directories for tests, and reads them in a slow and
// independent way to compare with.
package replicatest
