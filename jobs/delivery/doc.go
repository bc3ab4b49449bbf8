// Package delivery holds the workflows that the Delivery package installs: tracking what became of deliveries, billing
// them, cleaning up after them. A file is one workflow; what a large one needs more files for begins with its name.
package delivery
