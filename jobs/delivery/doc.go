// Package delivery holds the workflows that the Delivery package installs: cleaning up after deliveries, their logs
// and statistics. A file is one workflow; what a large one needs more files for begins with its name.
package delivery
