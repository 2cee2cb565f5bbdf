// In an offline bundle this file holds the review: window.STORYCAST_REVIEW = {...}. Here the server has it.
