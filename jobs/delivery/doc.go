// Package delivery holds the workflows that the Delivery package installs: tracking what became of deliveries, billing
// them, cleaning up after them. A file is one workflow; what a large one needs more files for begins with its name.
//
// Privacy: nms.forecast_log, which forecasting writes, holds addresses of people beside their ids. An access or a deletion
// of a person's data has to look there, too.
package delivery
