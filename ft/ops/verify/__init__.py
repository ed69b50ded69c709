"""``ft verify``: the tables are counted again from the journal, the topics are read as a subscriber reads them."""
