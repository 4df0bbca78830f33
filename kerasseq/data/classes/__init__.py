"""Labels of classes and stratified splits."""
