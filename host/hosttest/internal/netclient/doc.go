// Package netclient is curl and wget of a fake machine. They reach what [Serve] offers and the ports of the machine
// itself.
package netclient
