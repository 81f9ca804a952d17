// Package k3s makes and keeps the nodes of a cluster of k3s.
package k3s
