// Package debian puts a fake machine together: Debian 12 as Raspberry Pi OS ships it, the programs of all families, the
// archive of packages, and what happens at boot. [New] installs it on the hardware, [Start] brings the services up.
package debian
