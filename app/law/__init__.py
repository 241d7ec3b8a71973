"""The law catalogue as versioned data, and links from items to what they may bear on."""
